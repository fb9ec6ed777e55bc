#include "feedback/snapshots/split.h"

#include <cstdint>

namespace hone::feedback {

const char* to_string(Split split) { return split == Split::Train ? "train" : "held_out"; }

Split split_of(std::string_view salt, std::string_view prompt_sha256, double share, const Sha256& sha256) {
  const Digest digest = sha256(Framed().add("split").add(salt).add(prompt_sha256).bytes());
  std::uint64_t head = 0;
  for (int i = 0; i < 8; ++i) head = head << 8 | digest[static_cast<std::size_t>(i)];
  // The upper 53 bits are a double exactly: every machine compares the same number.
  const double place = static_cast<double>(head >> 11) / 9007199254740992.0;
  return place < share ? Split::HeldOut : Split::Train;
}

std::string pseudonym(std::string_view salt, std::string_view judge, const Sha256& sha256) {
  return "j" + to_hex(sha256(Framed().add("judge").add(salt).add(judge).bytes())).substr(0, 10);
}

}  // namespace hone::feedback
