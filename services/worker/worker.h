// Claims jobs one at a time and carries each to an end.
#pragma once

#include <stop_token>

#include "services/worker/settings.h"
#include "services/worker/store.h"
#include "services/worker/waker.h"

namespace hone::worker {

/// Until told to stop. A job may be executed twice and is never owned twice: every write carries
/// the lease's epoch, and storage answers Stale to an old one. Told to stop in mid-run it lets
/// hone-run save a checkpoint and gives the job back. Call it on the main thread: hone-run dies
/// with the thread that started it.
void work(const Settings& settings, Store& store, Waker& waker, std::stop_token stop);

}  // namespace hone::worker
