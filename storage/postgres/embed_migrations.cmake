# Writes every file of migrations/ into one C++ source, so that a program carries its own schema.
# Run as: cmake -DFILES=a;b -DOUT=file.cpp -P embed_migrations.cmake
set(text "// Made from migrations/ by embed_migrations.cmake.\n#include \"storage/postgres/migrator.h\"\n\nnamespace hone::storage {\nnamespace {\nconstexpr Migration kMigrations[] = {\n")
foreach(file ${FILES})
  get_filename_component(name ${file} NAME)
  file(READ ${file} sql)
  string(APPEND text "{\"${name}\", R\"hone_sql(${sql})hone_sql\"},\n")
endforeach()
string(APPEND text "};\n}  // namespace\n\nstd::span<const Migration> embedded_migrations() { return kMigrations; }\n}  // namespace hone::storage\n")
file(WRITE ${OUT} "${text}")
