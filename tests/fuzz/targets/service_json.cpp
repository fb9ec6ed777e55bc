// JSON of requests and uploads under its limits; and what reads its members.
#include <cstdint>
#include <nlohmann/json.hpp>

#include "services/shared/json.h"
#include "tests/fuzz/targets.h"

namespace hone::fuzz {

void service_json(std::string_view bytes) {
  accepts([&] {
    const auto json = shared::parse_json(bytes);
    promise(
        accepts([&] { promise(shared::parse_json(json.dump()) == json, "JSON reads as it was"); }),
        "JSON that was written is read");
    accepts([&] { shared::parse_json(bytes, {.depth = 4, .nodes = 16, .string_bytes = 8}, 1); });
    accepts([&] {
      shared::Fields fields(json);
      for (const auto& member : json.items()) {
        const auto& key = member.key();
        accepts([&] { fields.find_text(key, {1, 100}); });
        accepts([&] { fields.find_integer(key, -5, INT64_MAX); });
        accepts([&] { fields.find_number(key, 0, 1e9); });
        accepts([&] { fields.find_boolean(key); });
        accepts([&] { fields.find_word(key, {"train", "held_out"}); });
        accepts([&] { fields.find_uuid(key); });
        accepts([&] { fields.texts(key, {0, 20}, 3); });
        accepts([&] { fields.find_object(key); });
        accepts([&] { fields.list(key, 1, 3); });
      }
      fields.done();
    });
  });
}

}  // namespace hone::fuzz
