// The small tools: JSON lines on standard input, JSON lines on standard output, in the same order.
#pragma once

#include "services/run/arguments.h"

namespace hone::run {

int tokenize(const Arguments& arguments);  ///< BASE [--decode]
int score(const Arguments& arguments);     ///< BASE [--adapter DIR]
int sample(const Arguments& arguments);    ///< BASE [--adapter DIR] and the sampling options
int inspect(const Arguments& arguments);   ///< BASE
int doctor();

}  // namespace hone::run
