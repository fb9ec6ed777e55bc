#include "rl/chat/site.h"

#include <fmt/format.h>

#include <algorithm>

#include "rl/tokenizer/utf8.h"

namespace hone::rl::chat {
namespace {

constexpr std::size_t kItemBytes = sizeof(Value);

int depth_of(const Value& value) {
  if (const auto* l = value.as<SharedList>()) return (*l)->depth;
  if (const auto* d = value.as<SharedDict>()) return (*d)->depth;
  if (const auto* s = value.as<SharedStream>()) return (*s)->depth;
  return 0;
}

int deeper(const Site& site, int depth, const Value& item) {
  depth = std::max(depth, depth_of(item) + 1);
  if (depth > kValueDepthMax) site.refuse("lists nest too deep");
  return depth;
}

int depth_over(const Site& site, const std::vector<Value>& items) {
  int depth = 1;
  for (const auto& item : items) depth = deeper(site, depth, item);
  return depth;
}

}  // namespace

void Site::step(std::size_t count) const {
  used.steps += count;
  if (used.steps > kStepsMax) refuse(fmt::format("more than {} steps", kStepsMax));
}

void Site::bytes(std::size_t count) const {
  used.bytes += count;
  if (used.bytes > kBytesMax) refuse(fmt::format("more than {} bytes are made", kBytesMax));
}

Value Site::text(std::string text) const {
  if (text.size() > kTextMax) refuse(fmt::format("a string grows past {} bytes", kTextMax));
  bytes(text.size());
  return {std::make_shared<const std::string>(std::move(text))};
}

Value Site::list(std::vector<Value> items, Sequence::Shape shape) const {
  if (items.size() > kStepsMax) refuse("a list grows too long");
  bytes(items.size() * kItemBytes);
  const int depth = depth_over(*this, items);
  return {std::make_shared<const Sequence>(Sequence{shape, std::move(items), depth})};
}

Value Site::dict(Mapping mapping) const {
  bytes(mapping.items.size() * 2 * kItemBytes);
  for (const auto& [key, value] : mapping.items)
    mapping.depth = deeper(*this, mapping.depth, value);
  return {std::make_shared<const Mapping>(std::move(mapping))};
}

Value Site::stream(std::vector<Value> items) const {
  bytes(items.size() * kItemBytes);
  const int depth = depth_over(*this, items);
  return {std::make_shared<Stream>(Stream{std::move(items), false, depth})};
}

std::vector<const Value*> bind(const Site& site, std::string_view what,
                               const std::vector<std::string_view>& parameters,
                               std::size_t required, const Arguments& arguments) {
  std::vector<const Value*> bound(parameters.size(), nullptr);
  if (arguments.given.size() > parameters.size())
    site.refuse(fmt::format("{} with {} arguments is not supported", what, arguments.given.size()));
  for (std::size_t i = 0; i < arguments.given.size(); ++i) bound[i] = &arguments.given[i];
  for (const auto& [name, value] : arguments.named) {
    const auto found = std::ranges::find(parameters, name);
    if (found == parameters.end() || found->empty())
      site.refuse(fmt::format("{} with the argument \"{}\" is not supported", what, name));
    auto& slot = bound[static_cast<std::size_t>(found - parameters.begin())];
    if (slot != nullptr)
      site.refuse(fmt::format("{} is given the argument \"{}\" twice", what, name));
    slot = &value;
  }
  for (std::size_t i = 0; i < required; ++i)
    if (bound[i] == nullptr) site.refuse(fmt::format("{} wants {} arguments", what, required));
  return bound;
}

std::vector<Value> walk(const Site& site, const Value& value) {
  std::vector<Value> items;
  if (value.as<Undefined>()) return items;
  if (const auto* list = value.as<SharedList>()) {
    items = (*list)->items;
  } else if (const auto* dict = value.as<SharedDict>()) {
    for (const auto& [key, held] : (*dict)->items) items.push_back(site.text(key));
  } else if (const auto* text = value.text()) {
    for (std::size_t at = 0; at < text->size();) {
      const auto size = code_point_at(*text, at).size;
      site.step();
      items.push_back(site.text(text->substr(at, size)));
      at += size;
    }
  } else if (const auto* stream = value.as<SharedStream>()) {
    // Python finds it empty the second time, or half empty, which no template means.
    if ((*stream)->walked) site.refuse("an iterator is walked a second time");
    (*stream)->walked = true;
    items = (*stream)->items;
  } else {
    site.refuse(fmt::format("{} cannot be walked", type_of(value)));
  }
  site.bytes(items.size() * kItemBytes);
  return items;
}

Int whole(const Site& site, const Value& value) {
  Int store = 0;
  const auto* i = integer(value, store);
  if (i == nullptr) site.refuse(fmt::format("an integer is wanted, not {}", type_of(value)));
  return *i;
}

}  // namespace hone::rl::chat
