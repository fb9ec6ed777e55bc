// From method and path to a row of the route table.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "services/httpd/request.h"

namespace hone::httpd {

/// Patterns are `/api/v1/runs/{id}` or, with a tail that may hold slashes, `/files/{path...}`.
/// A literal segment wins over `{name}` at the same place. Built once, then read by all threads.
class Router {
 public:
  /// Asserts that no other row has this method and shape.
  void add(Method method, std::string_view pattern, std::size_t row);

  struct Match {
    enum class Kind { Found, NoSuchPath, NoSuchMethod } kind = Kind::NoSuchPath;
    std::size_t row = 0;
    std::vector<std::pair<std::string, std::string>> params;
    std::string allow;  ///< of NoSuchMethod: the methods that the path has
  };
  /// `path` is decoded. HEAD finds the row of GET.
  Match find(Method method, std::string_view path) const;

 private:
  struct Row {
    Method method;
    std::vector<std::string> segments;
    std::size_t row;
  };
  std::vector<Row> rows_;
};

}  // namespace hone::httpd
