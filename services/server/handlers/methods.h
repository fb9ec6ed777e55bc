// GET /api/v1/methods: the catalogue of feedback/training.
#pragma once

#include <string>

#include "services/server/routes.h"

namespace hone::server {

/// A list; each method with its name, its family, what it is called in words, what it minimises,
/// and the JSON Schema of its hyperparameters.
net::awaitable<Response> get_methods(App& app, Caller caller, Request request);

std::string methods_json();

}  // namespace hone::server
