# hone::torch, an imported target made from a libtorch prefix (a folder with include/ and lib/).
# Not the prefix's own CMake files: a CUDA wheel's demand nvcc even for CPU targets, and a
# distribution's drag in protobuf and Python.
#
# Looked for in this order: HONE_TORCH (CMake or environment), CMAKE_PREFIX_PATH, a torch that
# python3 can import, the distribution's libtorch-dev if it is at least 2.6, the wheel that
# scripts/setup unpacked into .deps/torch.
set(HONE_TORCH "$ENV{HONE_TORCH}" CACHE PATH "Prefix of libtorch")
option(HONE_CUDA "Compute on CUDA devices: needs nvcc and a libtorch with CUDA" OFF)

function(hone_torch_version prefix out)
  set(${out} "" PARENT_SCOPE)
  set(header ${prefix}/include/torch/csrc/api/include/torch/version.h)
  foreach(header ${prefix}/include/torch/headeronly/version.h ${prefix}/include/torch/csrc/api/include/torch/version.h)
    if(EXISTS ${header})
      file(READ ${header} text)
      if(text MATCHES "TORCH_VERSION_MAJOR ([0-9]+)")
        set(major ${CMAKE_MATCH_1})
        string(REGEX MATCH "TORCH_VERSION_MINOR ([0-9]+)" _ "${text}")
        set(${out} "${major}.${CMAKE_MATCH_1}" PARENT_SCOPE)
        return()
      endif()
    endif()
  endforeach()
endfunction()

set(candidates ${HONE_TORCH} ${CMAKE_PREFIX_PATH})
if(NOT HONE_TORCH)
  execute_process(COMMAND python3 -c "import torch, os; print(os.path.dirname(torch.__file__))"
    OUTPUT_VARIABLE python_torch OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
  list(APPEND candidates ${python_torch} /usr ${PROJECT_SOURCE_DIR}/.deps/torch/torch)
endif()

set(prefix "")
foreach(candidate IN LISTS candidates)
  if(EXISTS ${candidate}/include/ATen/ATen.h)
    hone_torch_version(${candidate} version)
    if(version VERSION_GREATER_EQUAL 2.6)
      set(prefix ${candidate})
      break()
    endif()
    message(STATUS "libtorch in ${candidate} is ${version}, 2.6 is the oldest that works: passed over")
  endif()
endforeach()
if(NOT prefix)
  message(FATAL_ERROR "no libtorch 2.6 or later found. Run `make setup`, or name its prefix with -DHONE_TORCH=<folder that holds include/ and lib/>")
endif()
message(STATUS "libtorch ${version} in ${prefix}")

set(lib ${prefix}/lib)
if(NOT EXISTS ${lib}/libtorch_cpu.so)
  file(GLOB lib LIST_DIRECTORIES true ${prefix}/lib/*-linux-gnu)
endif()
add_library(hone_torch INTERFACE)
add_library(hone::torch ALIAS hone_torch)
target_include_directories(hone_torch SYSTEM INTERFACE ${prefix}/include)
if(EXISTS ${prefix}/include/torch/csrc/api/include)
  target_include_directories(hone_torch SYSTEM INTERFACE ${prefix}/include/torch/csrc/api/include)
endif()
target_link_libraries(hone_torch INTERFACE ${lib}/libtorch_cpu.so ${lib}/libc10.so)
if(HONE_CUDA)
  # A wheel's CUDA libraries, their headers and nvcc (scripts/setup --cuda) lie beside it; a toolkit's in their
  # own place. Cards from Ampere on; newer ones than the list compile its last one's PTX at their first start.
  file(GLOB cuda_wheels LIST_DIRECTORIES true ${prefix}/../nvidia/cu*)
  find_program(CMAKE_CUDA_COMPILER nvcc PATHS ${cuda_wheels} PATH_SUFFIXES bin NO_DEFAULT_PATH)
  if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
    set(CMAKE_CUDA_ARCHITECTURES 80-real 86-real 89-real 90)
  endif()
  set(CMAKE_CUDA_STANDARD 17)
  set(CMAKE_CUDA_RUNTIME_LIBRARY None)  # linked below, the one that libtorch loads
  foreach(folder IN LISTS cuda_wheels)  # of CMake's trial programs, which nvcc links: its wheel has no lib64
    set(ENV{NVCC_APPEND_FLAGS} "$ENV{NVCC_APPEND_FLAGS} -L${folder}/lib")
  endforeach()
  enable_language(CUDA)
  find_file(HONE_CUDA_RUNTIME NAMES libcudart.so.13 libcudart.so.12 libcudart.so PATHS ${cuda_wheels} ${CMAKE_CUDA_TOOLKIT_INCLUDE_DIRECTORIES}/.. ${CMAKE_CUDA_IMPLICIT_LINK_DIRECTORIES} PATH_SUFFIXES lib lib64 REQUIRED)
  find_file(HONE_CUBLAS NAMES libcublas.so.13 libcublas.so.12 libcublas.so PATHS ${cuda_wheels} ${CMAKE_CUDA_TOOLKIT_INCLUDE_DIRECTORIES}/.. ${CMAKE_CUDA_IMPLICIT_LINK_DIRECTORIES} PATH_SUFFIXES lib lib64 REQUIRED)
  find_path(HONE_CUBLAS_INCLUDE cublas_v2.h PATHS ${cuda_wheels} PATH_SUFFIXES include HINTS ${CMAKE_CUDA_TOOLKIT_INCLUDE_DIRECTORIES} REQUIRED)
  target_include_directories(hone_torch SYSTEM INTERFACE ${CMAKE_CUDA_TOOLKIT_INCLUDE_DIRECTORIES} ${HONE_CUBLAS_INCLUDE})
  target_link_libraries(hone_torch INTERFACE -Wl,--no-as-needed ${lib}/libtorch_cuda.so ${lib}/libc10_cuda.so -Wl,--as-needed ${HONE_CUDA_RUNTIME} ${HONE_CUBLAS})
  foreach(folder IN LISTS cuda_wheels)
    target_link_options(hone_torch INTERFACE -Wl,-rpath,${folder}/lib)
  endforeach()
endif()
# A CUDA wheel on a machine without CUDA: libtorch_cpu finds its own runtime by its RPATH.
target_link_options(hone_torch INTERFACE -Wl,--allow-shlib-undefined -Wl,-rpath,${lib})
# at::parallel_for is a plain loop in a file compiled without OpenMP. The wheel carries its own runtime:
# linking another copy would give two thread pools. Clang's -fopenmp wants such a copy, so the fuzz build,
# the only one by clang, does without.
if(NOT CMAKE_CXX_COMPILER_ID MATCHES Clang)
  target_compile_options(hone_torch INTERFACE -fopenmp)
endif()
file(GLOB openmp ${lib}/libgomp*.so*)
target_link_libraries(hone_torch INTERFACE $<IF:$<BOOL:${openmp}>,${openmp},gomp>)

# Which std::string ABI the libraries were built with is asked of them, not assumed.
include(CheckCXXSourceCompiles)
set(CMAKE_REQUIRED_INCLUDES ${prefix}/include)
set(CMAKE_REQUIRED_LIBRARIES ${lib}/libtorch_cpu.so ${lib}/libc10.so -Wl,--allow-shlib-undefined)
check_cxx_source_compiles("#include <c10/core/Device.h>
int main() { c10::Device device(std::string(\"cpu\")); return device.index() > 0; }" HONE_TORCH_CXX11_ABI)
unset(CMAKE_REQUIRED_INCLUDES)
unset(CMAKE_REQUIRED_LIBRARIES)
if(NOT HONE_TORCH_CXX11_ABI)
  message(STATUS "libtorch uses the old std::string ABI")
  target_compile_definitions(hone_torch INTERFACE _GLIBCXX_USE_CXX11_ABI=0)
endif()
