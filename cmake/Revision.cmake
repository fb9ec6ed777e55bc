# The code revision that runs and versions carry. Written at build time into a header only when
# it changes, so that a commit recompiles one file.
add_custom_target(hone_revision_header ALL
  COMMAND ${CMAKE_COMMAND} -DSOURCE=${PROJECT_SOURCE_DIR} -DOUT=${CMAKE_BINARY_DIR}/generated/hone_revision.h
          -P ${PROJECT_SOURCE_DIR}/cmake/write_revision.cmake
  BYPRODUCTS ${CMAKE_BINARY_DIR}/generated/hone_revision.h)
add_library(hone_revision INTERFACE)
target_include_directories(hone_revision INTERFACE ${CMAKE_BINARY_DIR}/generated)
add_dependencies(hone_revision hone_revision_header)
