// Rule critics of a project: named, versioned, checked before they are kept.
#pragma once

#include <optional>

#include "services/server/routes.h"
#include "storage/repo/critics.h"

namespace hone::server {

/// GET /api/v1/projects/{id}/critics, newest first.
net::awaitable<Response> list_critics(App& app, Caller caller, Request request);
/// POST /api/v1/projects/{id}/critics: 201 with the next version, 200 when the spec is known
/// already.
net::awaitable<Response> post_critic(App& app, Caller caller, Request request);

/// The critic version, when it is one of this project.
std::optional<storage::CriticVersion> find_critic(storage::Tx& tx, const ProjectId& project,
                                                  const CriticId& id);

}  // namespace hone::server
