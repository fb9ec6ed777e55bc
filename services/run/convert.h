// hone-run convert: a model in another form, and how far the two are apart.
#pragma once

#include "services/run/arguments.h"

namespace hone::run {

/// BASE OUT --to hf|gguf [--type T] [--adapter DIR] [--no-check]: writes OUT (a folder or a file
/// that is not there yet), opens it again and compares its logits with those of BASE + adapter.
int convert(const Arguments& arguments);

}  // namespace hone::run
