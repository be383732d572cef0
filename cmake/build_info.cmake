# Included: makes ${CMAKE_BINARY_DIR}/generated/build_info.inc at every build, so that the commit
# in the program is the one that was compiled. Run as a script (-P): writes the file, and touches it
# only when its text changes, so that nothing is recompiled needlessly.
if(CMAKE_SCRIPT_MODE_FILE)
  set(commit unknown)
  execute_process(COMMAND git -C ${SOURCE} rev-parse --short=10 HEAD OUTPUT_VARIABLE head
                  RESULT_VARIABLE failed OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  if(NOT failed)
    execute_process(COMMAND git -C ${SOURCE} status --porcelain --untracked-files=no
                    OUTPUT_VARIABLE changes OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
    set(commit ${head})
    if(changes)
      set(commit "${head}+changes")
    endif()
  endif()
  set(text "#define LACUNA_VERSION \"${VERSION}\"\n#define LACUNA_COMMIT \"${commit}\"\n")
  string(APPEND text "#define LACUNA_BUILD_TYPE \"${TYPE}\"\n#define LACUNA_ARCH \"${ARCH}\"\n")
  set(old "")
  if(EXISTS ${OUT})
    file(READ ${OUT} old)
  endif()
  if(NOT old STREQUAL text)
    file(WRITE ${OUT} "${text}")
  endif()
  return()
endif()

set(build_info_file ${CMAKE_BINARY_DIR}/generated/build_info.inc)
add_custom_target(lacuna_build_info
  COMMAND ${CMAKE_COMMAND} -DSOURCE=${CMAKE_SOURCE_DIR} -DVERSION=${PROJECT_VERSION}
          -DTYPE=${CMAKE_BUILD_TYPE} -DARCH=${LACUNA_ARCH} -DOUT=${build_info_file}
          -P ${CMAKE_SOURCE_DIR}/cmake/build_info.cmake
  BYPRODUCTS ${build_info_file} VERBATIM)
target_include_directories(lacuna_base PRIVATE ${CMAKE_BINARY_DIR})
add_dependencies(lacuna_base lacuna_build_info)
