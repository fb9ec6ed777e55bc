// libFuzzer's door to the one target that this program is compiled for (HONE_FUZZ_TARGET).
#include <cstddef>
#include <cstdint>

#include "tests/fuzz/targets.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  hone::fuzz::HONE_FUZZ_TARGET({reinterpret_cast<const char*>(data), size});
  return 0;
}
