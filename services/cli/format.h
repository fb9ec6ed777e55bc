// How the command line writes times, sizes and tables.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace hone::cli {

/// 75 -> "1 min 15 s", 7300 -> "2 h 01 min", 4 -> "4 s".
std::string spell_seconds(double seconds);
/// 98362432 -> "98.4 MB"; decimal units, as disks are sold.
std::string spell_bytes(std::int64_t bytes);
/// Columns padded to their widest cell (counted in characters, not bytes), two spaces between;
/// the first row is the heading.
std::string table(const std::vector<std::vector<std::string>>& rows);

}  // namespace hone::cli
