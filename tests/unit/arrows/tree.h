// The project's own files as the tests about the tree see them: those that git would commit, or,
// in a copy without git, all but what is built, downloaded or made by running.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace hone::tree {

struct SourceFile {
  std::string path;  ///< from the root, with '/'
  std::string text;
};

/// The project's text files whose path `wanted` accepts. Bytes after a NUL make a file binary: left
/// out.
std::vector<SourceFile> read_files(const std::function<bool(std::string_view path)>& wanted);

/// Calls f(line number from 1, line) for each line of a text.
void for_each_line(std::string_view text, const std::function<void(int, std::string_view)>& f);

}  // namespace hone::tree
