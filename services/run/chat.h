// hone-run chat: talk with a base, or with what became of it.
#pragma once

#include "services/run/arguments.h"

namespace hone::run {

/// BASE [--adapter DIR] [--system TEXT] and the sampling options. Reads a line a turn from standard
/// input; answers appear as they are drawn.
int chat(const Arguments& arguments);

}  // namespace hone::run
