// Products of some tens of rows, those of a decode step of many samples: x lies turned on its side,
// sixteen rows to a panel, so that each weight that is read meets sixteen rows at once. few_rows
// calls them; nobody else need. No torch types.
#pragma once

#include <cstdint>

#include "rl/ops/few_rows.h"

namespace hone::rl {

/// The most rows that panel_rows takes on this machine: 0 where it has no fast loops for such
/// weights (AVX2 for f32, AVX-512's bf16 instructions for bf16, whose AMX is taken where it is).
std::int64_t most_panel_rows(bool bf16);

/// As few_rows, for m up to most_panel_rows. Each number of y is summed in one order, whatever m
/// and the threads.
void panel_rows(std::int64_t m, std::int64_t n, std::int64_t k, const float* x, const float* w,
                const float* base, float* y);
void panel_rows(std::int64_t m, std::int64_t n, std::int64_t k, const float* x,
                const std::uint16_t* w, const float* base, float* y, Rounding rounding);

}  // namespace hone::rl
