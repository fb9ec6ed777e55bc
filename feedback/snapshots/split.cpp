#include "feedback/snapshots/split.h"

namespace hone::feedback {

const char* to_string(Split split) { return split == Split::Train ? "train" : "held_out"; }

std::string pseudonym(std::string_view salt, std::string_view judge, const Sha256& sha256) {
  return "j" + to_hex(sha256(Framed().add("judge").add(salt).add(judge).bytes())).substr(0, 10);
}

}  // namespace hone::feedback
