// Walks the checkout without calling git, so that the tests also run in an unpacked archive.
#include "tests/unit/arrows/tree.h"

#include <fstream>
#include <set>
#include <sstream>

namespace hone::tree {
namespace fs = std::filesystem;

namespace {

bool made_not_written(const fs::path& name) {
  static const std::set<std::string> kMade = {".git",        ".deps",        "build",
                                              ".hone",       "dist",         "node_modules",
                                              "__pycache__", "test-results", ".cache"};
  return kMade.contains(name.string());
}

}  // namespace

std::vector<SourceFile> read_files(const std::function<bool(std::string_view)>& wanted) {
  const fs::path root = HONE_SOURCE_DIR;
  std::vector<SourceFile> files;
  for (auto at = fs::recursive_directory_iterator(root); at != fs::recursive_directory_iterator();
       ++at) {
    if (at->is_directory() && made_not_written(at->path().filename())) {
      at.disable_recursion_pending();
      continue;
    }
    if (!at->is_regular_file() || at->is_symlink()) continue;
    auto path = at->path().lexically_relative(root).generic_string();
    if (!wanted(path)) continue;
    std::ifstream in(at->path(), std::ios::binary);
    std::ostringstream text;
    text << in.rdbuf();
    if (text.view().find('\0') != std::string_view::npos) continue;
    files.push_back({std::move(path), std::move(text).str()});
  }
  return files;
}

void for_each_line(std::string_view text, const std::function<void(int, std::string_view)>& f) {
  int number = 1;
  while (!text.empty()) {
    const auto end = text.find('\n');
    f(number++, text.substr(0, end));
    if (end == std::string_view::npos) return;
    text.remove_prefix(end + 1);
  }
}

}  // namespace hone::tree
