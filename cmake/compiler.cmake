# Flags of our own code: C++20, warnings are errors, ccache and mold where they are installed.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
add_compile_options(-fPIC)  # everywhere alike: the precompiled header must fit programs and libraries
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -DNDEBUG")

find_program(ccache ccache)
if(ccache)
  # The settings let ccache serve users of the precompiled header, in any checkout of this tree.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${CMAKE_SOURCE_DIR}
      CCACHE_NOHASHDIR=1 CCACHE_PCH_EXTSUM=1 CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
      ${ccache})
endif()
find_program(mold mold)
if(mold)
  add_link_options(-fuse-ld=mold)
endif()


# What is on LD_LIBRARY_PATH, often the libraries of another environment, must not take the place of
# those that the program was built with: of an object's two lists of directories only the older one,
# DT_RPATH, comes before it. First in it is a directory with links to the libraries of the system
# that we use. Not the system's directory itself: a GPU driver is chosen through LD_LIBRARY_PATH.
add_link_options(LINKER:--disable-new-dtags)
set(CMAKE_BUILD_RPATH ${CMAKE_BINARY_DIR}/lib)

# libtorch.so exports its own copy of std::filesystem, in which remove_all() crashes. The first
# library that a program names wins, so that must be the C++ library.
add_link_options("SHELL:-Wl,--push-state,--no-as-needed -lstdc++ -Wl,--pop-state")

add_compile_options(-march=${LACUNA_ARCH})
if(LACUNA_SANITIZE)
  # GCC 12 takes code that the sanitizers put in for uses of uninitialised values.
  add_compile_options($<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
  if(LACUNA_SANITIZE STREQUAL "thread")
    # It does not see fences, which only libraries use here.
    add_compile_options(-fsanitize=thread -Wno-tsan -fno-omit-frame-pointer)
    add_link_options(-fsanitize=thread)
  elseif(LACUNA_SANITIZE STREQUAL "fuzzer")  # of Clang: tools/fuzz
    add_compile_options(-fsanitize=address,undefined,fuzzer-no-link -fno-sanitize-recover=undefined
                        -fno-omit-frame-pointer)
    add_link_options(-fsanitize=address,undefined)
  else()
    add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer)
    add_link_options(-fsanitize=address,undefined)
  endif()
endif()

# -Wsubobject-linkage guesses by the name of the file whether a type is a header's; a source in a
# batch is no header.
function(lacuna_warnings target)
  target_compile_options(${target} PRIVATE -Wall -Wextra $<$<CXX_COMPILER_ID:GNU>:-Werror> -Wshadow
    -Wno-unused-parameter -Wno-missing-field-initializers
    $<$<CXX_COMPILER_ID:GNU>:-Wno-subobject-linkage>)
endfunction()
