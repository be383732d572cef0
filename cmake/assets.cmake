# Included: puts the report's style, script and Chart.js into the program as strings. Run as a
# script (-P): writes the C++ source from the files that the command line names.
if(CMAKE_SCRIPT_MODE_FILE)
  set(source "#include \"monitoring/assets.h\"\n\nnamespace lacuna::monitoring::assets {\n")
  foreach(asset "kStyle=${STYLE}" "kScript=${SCRIPT}" "kChartLibrary=${CHART}")
    string(REGEX MATCH "^([^=]+)=(.+)$" all "${asset}")
    set(name ${CMAKE_MATCH_1})
    file(READ ${CMAKE_MATCH_2} text)
    string(FIND "${text}" ")lacuna_asset\"" end_mark)
    string(FIND "${text}" "</script" closes_script)
    if(NOT end_mark EQUAL -1 OR NOT closes_script EQUAL -1)
      message(FATAL_ERROR "${CMAKE_MATCH_2} cannot be put into a page")
    endif()
    string(APPEND source "const std::string_view ${name} = R\"lacuna_asset(${text})lacuna_asset\";\n")
  endforeach()
  string(APPEND source "}  // namespace lacuna::monitoring::assets\n")
  file(WRITE ${OUT} "${source}")
  return()
endif()

find_file(LACUNA_CHART_JS NAMES chart.min.js Chart.min.js PATHS /usr/share/javascript/chart.js
          NO_DEFAULT_PATH REQUIRED DOC "Chart.js 3 (Debian: libjs-chart.js)")
set(style ${CMAKE_SOURCE_DIR}/monitoring/assets/report.css)
set(script ${CMAKE_SOURCE_DIR}/monitoring/assets/report.js)
set(assets_source ${CMAKE_BINARY_DIR}/generated/report_assets.cpp)
add_custom_command(OUTPUT ${assets_source}
  COMMAND ${CMAKE_COMMAND} -DSTYLE=${style} -DSCRIPT=${script} -DCHART=${LACUNA_CHART_JS}
          -DOUT=${assets_source} -P ${CMAKE_SOURCE_DIR}/cmake/assets.cmake
  DEPENDS ${style} ${script} ${LACUNA_CHART_JS} ${CMAKE_SOURCE_DIR}/cmake/assets.cmake VERBATIM)
target_sources(lacuna_monitoring PRIVATE ${assets_source})
