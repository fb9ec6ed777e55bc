// Which names a template reads and sets, scope by scope.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "rl/chat/syntax.h"

namespace hone::rl::chat {

/// Follows a parser through a template's scopes, in the order of the text, to find the names that a
/// scope sets only after a scope inside it has read them. Jinja decides once for each scope whether
/// a name is its own, so that inside it nothing is found then: not what the template was given.
class NameScopes {
 public:
  void open() { scopes_.emplace_back(); }
  void close() { scopes_.pop_back(); }

  void read(const std::string& name, const Place& place) {
    for (std::size_t i = 0; i + 1 < scopes_.size(); ++i)
      if (!scopes_[i].mentioned.contains(name)) scopes_[i].read_inside.emplace(name, place);
    scopes_.back().mentioned.insert(name);
  }

  void set(const std::string& name) {
    auto& scope = scopes_.back();
    if (!scope.mentioned.insert(name).second) return;
    if (const auto found = scope.read_inside.find(name); found != scope.read_inside.end())
      late_.push_back({name, found->second});
  }
  void set(const Target& target) {
    if (target.attribute.empty())
      for (const auto& name : target.names) set(name);
  }

  const std::vector<Script::Late>& late() const { return late_; }

 private:
  struct Scope {
    std::set<std::string> mentioned;           // by the scope itself
    std::map<std::string, Place> read_inside;  // by scopes inside it, before it did
  };

  std::vector<Scope> scopes_ = {{}};
  std::vector<Script::Late> late_;
};

}  // namespace hone::rl::chat
