// As rl/ops/cuda/absent.cpp.
#include "feedback/base/error.h"
#include "rl/engine/decode.h"

namespace hone::rl::cuda {

std::unique_ptr<DecodeCache> make_decode_cache(const Model&, const DecodeShape&) {
  throw Error(Code::Invalid,
              "this program was built without CUDA (the preset cuda builds it with)");
}

}  // namespace hone::rl::cuda
