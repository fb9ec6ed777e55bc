// How hone-run's memory is managed: jemalloc, told to keep what tensors gave back for some seconds.
// A training step frees and asks again for gigabytes in pieces of the same few sizes; handing their
// pages to the kernel and back took a sixth of a step, and glibc's own heap keeps holes instead.
#include <jemalloc/jemalloc.h>

#include <cstddef>

extern "C" {
// Read by jemalloc before main. MALLOC_CONF in the environment adds to it.
// oversize_threshold: by default pieces above 8 MB go back to the kernel at once.
extern const char* malloc_conf;
const char* malloc_conf = "oversize_threshold:0,dirty_decay_ms:5000,muzzy_decay_ms:0";
}

namespace {

// The main thread's arena is made before the options are read, with that default. Neighbouring free
// pieces become one, so it gave gigabytes back in every step: a third to a half of the page faults
// of training.
// Kept whatever their size they cost up to 8 % more memory and win nothing more.
[[maybe_unused]] const int set = [] {
  std::size_t bytes = std::size_t{128} << 20;
  return mallctl("arena.0.oversize_threshold", nullptr, nullptr, &bytes, sizeof bytes);
}();

}  // namespace
