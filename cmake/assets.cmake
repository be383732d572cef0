# Texts that a program carries in itself, so that its pages need no other file.
#
# lacuna_assets(LAYER NAME=FILE...): the constants NAME of <layer>/assets.h. A file that cannot stand
# inside a page is refused. Run as a script (-P), writes the C++ source.
if(CMAKE_SCRIPT_MODE_FILE)
  set(source "#include \"${LAYER}/assets.h\"\n\nnamespace lacuna::${LAYER}::assets {\n")
  string(REPLACE "|" ";" assets "${ASSETS}")
  foreach(asset IN LISTS assets)
    string(REGEX MATCH "^([^=]+)=(.+)$" all "${asset}")
    set(name ${CMAKE_MATCH_1})
    file(READ ${CMAKE_MATCH_2} text)
    string(FIND "${text}" ")lacuna_asset\"" end_mark)
    string(FIND "${text}" "</script" closes_script)
    if(NOT end_mark EQUAL -1 OR (NOT closes_script EQUAL -1 AND NOT CMAKE_MATCH_2 MATCHES "html$"))
      message(FATAL_ERROR "${CMAKE_MATCH_2} cannot be put into a page")
    endif()
    string(APPEND source "const std::string_view ${name} = R\"lacuna_asset(${text})lacuna_asset\";\n")
  endforeach()
  string(APPEND source "}  // namespace lacuna::${LAYER}::assets\n")
  file(WRITE ${OUT} "${source}")
  return()
endif()

set(lacuna_assets_script ${CMAKE_CURRENT_LIST_FILE})
function(lacuna_assets layer)
  set(out ${CMAKE_BINARY_DIR}/generated/${layer}_assets.cpp)
  string(REGEX REPLACE "[^;=]+=" "" files "${ARGN}")
  string(REPLACE ";" "|" assets "${ARGN}")
  add_custom_command(OUTPUT ${out}
    COMMAND ${CMAKE_COMMAND} -DLAYER=${layer} -DASSETS=${assets} -DOUT=${out}
            -P ${lacuna_assets_script}
    DEPENDS ${files} ${lacuna_assets_script} VERBATIM)
  target_sources(lacuna_${layer} PRIVATE ${out})
endfunction()

# Chart.js 3, (c) its contributors, MIT licence: /usr/share/doc/libjs-chart.js/copyright
find_file(LACUNA_CHART_JS NAMES chart.min.js Chart.min.js PATHS /usr/share/javascript/chart.js
          NO_DEFAULT_PATH REQUIRED DOC "Chart.js 3 (Debian: libjs-chart.js)")
set(assets ${CMAKE_SOURCE_DIR}/coordinator/assets)
lacuna_assets(coordinator kPage=${assets}/page.html kPageStyle=${assets}/page.css
  kPageText=${assets}/page_text.js
  kPageCurves=${assets}/page_curves.js kPageScript=${assets}/page.js kTheme=${assets}/theme.css kLineChart=${assets}/line_chart.js
  kChartLibrary=${LACUNA_CHART_JS})
set(assets ${CMAKE_SOURCE_DIR}/monitoring/assets)
lacuna_assets(monitoring kStyle=${assets}/report.css kScript=${assets}/report.js
  kPublished=${assets}/published.csv)
