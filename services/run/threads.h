// How many threads libtorch may use here.
#pragma once

namespace hone::run {

/// HONE_THREADS when it is set (Invalid when it is no number from 1 to 1024), else the physical
/// cores that this process may run on.
int wanted_threads();

/// Switches that every command makes before the first tensor: threads, determinism.
void prepare_torch();

}  // namespace hone::run
