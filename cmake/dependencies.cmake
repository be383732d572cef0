# Libraries: Debian packages, and LibTorch from the private Python environment made by tools/setup.
find_package(Threads REQUIRED)
find_package(Boost 1.74 REQUIRED)  # headers only: Asio and Beast
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(CLI11 REQUIRED)
find_package(GTest REQUIRED)
find_package(MPI REQUIRED COMPONENTS CXX)
# Open MPI's own libraries find each other by RUNPATH, which comes after LD_LIBRARY_PATH (see
# compiler.cmake): those that the program names itself are loaded before they ask.
if(MPI_mpi_LIBRARY)
  execute_process(COMMAND ${CMAKE_COMMAND} -E env --unset=LD_LIBRARY_PATH ldd ${MPI_mpi_LIBRARY}
    OUTPUT_VARIABLE needed_by_mpi)
  string(REGEX MATCHALL "=> /[^ ]+" needed_by_mpi "${needed_by_mpi}")
  list(TRANSFORM needed_by_mpi REPLACE "^=> " "")
  list(FILTER needed_by_mpi EXCLUDE REGEX "/lib(c|m|dl|rt|pthread|util)[.]so")
  string(JOIN "," needed_by_mpi ${needed_by_mpi})
  if(needed_by_mpi)
    target_link_libraries(MPI::MPI_CXX INTERFACE
      "-Wl,--push-state,--no-as-needed,${needed_by_mpi},--pop-state")
  endif()
endif()
find_package(HDF5 REQUIRED COMPONENTS C)
find_package(ZLIB REQUIRED)

foreach(name lz4 xxhash deflate)
  find_library(${name}_library ${name} REQUIRED)
  add_library(${name} INTERFACE)
  target_link_libraries(${name} INTERFACE ${${name}_library})
endforeach()

set(LACUNA_DEPS ${CMAKE_SOURCE_DIR}/.deps CACHE PATH "Where tools/setup put the environment")
file(GLOB site_packages ${LACUNA_DEPS}/venv/lib/python3.*/site-packages)
if(NOT EXISTS "${site_packages}/torch")
  message(FATAL_ERROR "no LibTorch under ${LACUNA_DEPS}/venv: run `make` (or tools/setup) first")
endif()

# Torch turns CUDA on by itself, so a compiler is needed even for a CPU run: the system's toolkit
# when it is new enough, else the one that tools/setup installed as wheels. The architecture list
# must be set before: without it torch adds one that nvcc 13 refuses.
set(ENV{TORCH_CUDA_ARCH_LIST} "8.0;9.0")
set(TORCH_CUDA_ARCH_LIST "8.0;9.0")
set(CMAKE_CUDA_ARCHITECTURES "80;90")
set(CMAKE_CUDA_RUNTIME_LIBRARY Shared)
set(wheel_cuda ${site_packages}/nvidia/cu13)
if(EXISTS ${wheel_cuda}/bin/nvcc)
  set(ENV{CUDA_HOME} ${wheel_cuda})
  set(CMAKE_CUDA_COMPILER ${wheel_cuda}/bin/nvcc)
  set(CUDAToolkit_ROOT ${wheel_cuda})
  set(CUDA_TOOLKIT_ROOT_DIR ${wheel_cuda})
elseif(EXISTS /usr/local/cuda/bin/nvcc)
  set(CMAKE_CUDA_COMPILER /usr/local/cuda/bin/nvcc)
  set(CUDA_TOOLKIT_ROOT_DIR /usr/local/cuda)
endif()
find_package(Torch REQUIRED PATHS ${site_packages}/torch NO_DEFAULT_PATH)
if(TARGET caffe2::mkl)  # directories of an Intel compiler, there or not: they would end in the path of libraries
  set_target_properties(caffe2::mkl PROPERTIES INTERFACE_LINK_DIRECTORIES "")
endif()

# Some of NVIDIA's libraries end their RUNPATH in an empty entry, by which the loader takes other
# libraries from the working directory. The environment is ours: they are put right there.
file(GLOB vendor_libraries ${site_packages}/nvidia/*/lib/*.so* ${site_packages}/torch/lib/*.so*)
foreach(library IN LISTS vendor_libraries)
  if(IS_SYMLINK ${library})
    continue()
  endif()
  execute_process(COMMAND ${CMAKE_READELF} -d ${library} OUTPUT_VARIABLE dynamic ERROR_QUIET)
  if(NOT dynamic MATCHES "R(UN)?PATH\\)[^\n]*\\[([^\n]*)\\]\n")
    continue()
  endif()
  set(path "${CMAKE_MATCH_2}")
  string(REGEX REPLACE "^:+|:+$" "" clean "${path}")
  string(REGEX REPLACE "::+" ":" clean "${clean}")
  if(NOT clean STREQUAL path)
    message(STATUS "${library}: library path '${path}' becomes '${clean}'")
    file(COPY_FILE ${library} ${library}.new)
    file(RPATH_SET FILE ${library}.new NEW_RPATH "${clean}")
    file(RENAME ${library}.new ${library})
  endif()
endforeach()
# A library that only those need which look on LD_LIBRARY_PATH first (see compiler.cmake).
find_library(nvjitlink_library nvJitLink HINTS ${wheel_cuda}/lib /usr/local/cuda/lib NO_DEFAULT_PATH)
if(nvjitlink_library)
  get_filename_component(nvjitlink_directory ${nvjitlink_library} DIRECTORY)
  list(APPEND CMAKE_BUILD_RPATH ${nvjitlink_directory})
  target_link_libraries(torch INTERFACE
    "-Wl,--push-state,--no-as-needed,${nvjitlink_library},--pop-state")
endif()

# NCCL is the one that torch itself loads: a second copy in one process would not see the first
# one's state. Like the CUDA runtime, which comes with torch's targets, it starts without a driver.
find_path(nccl_include nccl.h PATHS ${site_packages}/nvidia/nccl/include NO_DEFAULT_PATH REQUIRED)
find_library(nccl_library nccl PATHS ${site_packages}/nvidia/nccl/lib NO_DEFAULT_PATH REQUIRED)
add_library(nccl INTERFACE)
target_include_directories(nccl SYSTEM INTERFACE ${nccl_include})
target_link_libraries(nccl INTERFACE ${nccl_library})
