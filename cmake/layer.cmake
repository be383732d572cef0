# lacuna_layer(name [TORCH] LINK libraries...): the static library lacuna_<name> of <name>/*.cpp.
function(lacuna_layer name)
  cmake_parse_arguments(layer "TORCH" "" "LINK" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${name}/*.cpp)
  if(NOT sources)
    add_library(lacuna_${name} INTERFACE)
    target_link_libraries(lacuna_${name} INTERFACE ${layer_LINK})
    return()
  endif()
  add_library(lacuna_${name} STATIC ${sources})
  target_include_directories(lacuna_${name} PUBLIC ${CMAKE_SOURCE_DIR})
  target_link_libraries(lacuna_${name} PUBLIC ${layer_LINK})
  if(layer_TORCH)
    lacuna_use_torch(lacuna_${name})
  else()
    lacuna_warnings(lacuna_${name})
  endif()
endfunction()

# torch ships headers of another fmt than Debian's library: users of torch take fmt from headers
# alone, in torch's version and its own inline namespace, so that the two never meet.
function(lacuna_torch_headers target)
  lacuna_warnings(${target})
  target_compile_definitions(${target} PRIVATE FMT_HEADER_ONLY)
  target_include_directories(${target} SYSTEM PRIVATE ${TORCH_INCLUDE_DIRS})
  target_link_libraries(${target} PUBLIC ${TORCH_LIBRARIES})
endfunction()

# Whether a source includes torch, itself or through headers of this project.
function(lacuna_includes_torch file result)
  get_property(known GLOBAL PROPERTY "lacuna_includes_torch ${file}")
  if("${known}" STREQUAL "")
    set(known FALSE)
    file(STRINGS ${file} lines REGEX "^ *# *include ")
    foreach(line IN LISTS lines)
      if(line MATCHES "<(torch|ATen|c10)/")
        set(known TRUE)
        break()
      elseif(line MATCHES "\"([^\"]+)\"" AND EXISTS ${CMAKE_SOURCE_DIR}/${CMAKE_MATCH_1})
        lacuna_includes_torch(${CMAKE_SOURCE_DIR}/${CMAKE_MATCH_1} known)
        if(known)
          break()
        endif()
      endif()
    endforeach()
    set_property(GLOBAL PROPERTY "lacuna_includes_torch ${file}" ${known})
  endif()
  set(${result} ${known} PARENT_SCOPE)
endfunction()

# One precompiled header for every file that includes torch: without it each costs 20 s. A file that
# does not is better off without: GCC instantiates what the header left pending in each user, which
# takes 3 s with these headers and twice that with all of torch/torch.h.
function(lacuna_use_torch target)
  lacuna_torch_headers(${target})
  if(NOT TARGET lacuna_torch_pch)
    file(WRITE ${CMAKE_BINARY_DIR}/torch_pch.cpp "")
    add_library(lacuna_torch_pch STATIC ${CMAKE_BINARY_DIR}/torch_pch.cpp)
    lacuna_torch_headers(lacuna_torch_pch)
    set(headers <torch/types.h> <torch/utils.h> <torch/nn/modules/conv.h>
      <torch/nn/modules/linear.h> <nlohmann/json.hpp>)
    target_precompile_headers(lacuna_torch_pch PRIVATE ${headers})
    # GCC never writes the same precompiled header twice: what it was made from tells ccache that
    # two are equal (CCACHE_PCH_EXTSUM).
    file(WRITE ${CMAKE_BINARY_DIR}/CMakeFiles/lacuna_torch_pch.dir/cmake_pch.hxx.gch.sum
      "${headers} torch ${Torch_VERSION} json ${nlohmann_json_VERSION} "
      "${CMAKE_CXX_COMPILER_ID} ${CMAKE_CXX_COMPILER_VERSION}")
  endif()
  target_precompile_headers(${target} REUSE_FROM lacuna_torch_pch)
  get_target_property(sources ${target} SOURCES)
  foreach(source IN LISTS sources)
    lacuna_includes_torch(${source} torch)
    if(NOT torch)
      set_source_files_properties(${source} PROPERTIES SKIP_PRECOMPILE_HEADERS ON)
    endif()
  endforeach()
endfunction()
