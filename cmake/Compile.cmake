# How our own code is compiled. Third-party headers are SYSTEM, so warnings judge our code alone.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "" FORCE)
endif()

find_program(CCACHE ccache)
if(CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
endif()

add_library(hone_compile INTERFACE)
target_include_directories(hone_compile INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_options(hone_compile INTERFACE -Wall -Wextra -Wshadow -Wnon-virtual-dtor -Wimplicit-fallthrough)
if(HONE_WERROR)
  target_compile_options(hone_compile INTERFACE -Werror)
endif()
if(HONE_SANITIZE)
  target_compile_options(hone_compile INTERFACE -fsanitize=${HONE_SANITIZE} -fno-omit-frame-pointer)
  target_link_options(hone_compile INTERFACE -fsanitize=${HONE_SANITIZE})
endif()

find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)

# hone_add_library(NAME SOURCES ... LINK ...): a folder's library, with the house's warnings.
function(hone_add_library name)
  cmake_parse_arguments(arg "" "" "SOURCES;LINK" ${ARGN})
  add_library(${name} STATIC ${arg_SOURCES})
  target_link_libraries(${name} PUBLIC hone_compile ${arg_LINK})
endfunction()

# hone_add_program(NAME SOURCES ... LINK ...): one of the programs, in <build>/bin.
function(hone_add_program name)
  cmake_parse_arguments(arg "" "" "SOURCES;LINK" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_link_libraries(${name} PRIVATE hone_compile ${arg_LINK})
endfunction()
