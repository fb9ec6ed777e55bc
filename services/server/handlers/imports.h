// Uploads of prompts and preference pairs.
#pragma once

#include "services/server/routes.h"

namespace hone::server {

/// POST /api/v1/projects/{id}/imports, JSONL as its body: 201 with the counts, 200 for a dry run,
/// 422 with the bad rows when one is refused. One transaction: all of it, or nothing. The same file
/// again adds nothing.
net::awaitable<Response> post_import(App& app, Caller caller, Request request);

}  // namespace hone::server
