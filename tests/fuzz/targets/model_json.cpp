// JSON of model files; and what reads its fields.
#include <nlohmann/json.hpp>

#include "rl/formats/json.h"
#include "tests/fuzz/targets.h"

namespace hone::fuzz {

void model_json(std::string_view bytes) {
  accepts([&] {
    const auto json = rl::parse_json(bytes, "file.json");
    promise(accepts([&] {
              promise(rl::parse_json(json.dump(), "file.json") == json, "JSON reads as it was");
            }),
            "JSON that was written is read");
    accepts([&] {
      const rl::JsonObject object(json, "file.json");
      for (const auto& member : json.items()) {
        const auto& key = member.key();
        accepts([&] { object.integer(key); });
        accepts([&] { object.find_number(key); });
        accepts([&] { object.text(key); });
        accepts([&] { object.flag(key, false); });
        accepts([&] { object.integers(key); });
        accepts([&] { object.find_object(key); });
      }
    });
  });
}

}  // namespace hone::fuzz
