// Freezes a project's judgments, or its prompts: reads them, computes the rows, writes the
// artifact.
#pragma once

#include "services/server/app.h"
#include "services/server/auth/caller.h"
#include "services/server/json/snapshots.h"

namespace hone::server {

/// Complete and ready for insert_snapshot; artifact and manifest are in the store already.
/// The heads are those of one instant; texts never change, so they are read afterwards in batches.
/// Throws NotFound for another team's project, Invalid when there is no strict pair, or of prompts
/// none, to train on.
net::awaitable<storage::NewSnapshot> freeze_project(App& app, Caller caller, ProjectId project,
                                                    SnapshotAsked asked);

}  // namespace hone::server
