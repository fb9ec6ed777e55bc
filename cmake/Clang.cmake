# Toolchain file of the preset fuzz: the newest clang++ there is, since libFuzzer is clang's own.
# Debian 12's default is 14, Debian 13's is 19; older ones do not read our C++20.
if(NOT CMAKE_CXX_COMPILER)
  foreach(version RANGE 25 14 -1)
    list(APPEND names clang++-${version})
  endforeach()
  find_program(HONE_CLANG NAMES ${names} clang++ NAMES_PER_DIR)
  if(NOT HONE_CLANG)
    message(FATAL_ERROR "no clang++ found. Run `scripts/setup --fuzz`")
  endif()
  set(CMAKE_CXX_COMPILER ${HONE_CLANG})
endif()
