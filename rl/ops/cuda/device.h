// The CUDA device, where the program was built for one and the machine has one. All of this answers
// "none" in a program that was built without.
#pragma once

#include <cstdint>
#include <string>

namespace hone::rl::cuda {

/// Whether there is a device to compute on; why there is none, for people, in `why` where given.
bool available(std::string* why = nullptr);
/// "NVIDIA H100 80GB HBM3"; empty without one.
std::string device_name();
/// Bytes of its memory that are free, what this process's allocator keeps counted as free.
std::int64_t free_memory();
std::int64_t total_memory();
/// The most that this process's tensors took at once, in bytes.
std::int64_t peak_memory();
/// Waits until all that was asked of the device is done.
void synchronize();
/// From here on two runs of the same numbers give the same bits. Before the first product.
void repeat_exactly();
/// Whether it multiplies bf16 at full speed (compute capability 8.0 and later).
bool multiplies_bf16();

}  // namespace hone::rl::cuda
