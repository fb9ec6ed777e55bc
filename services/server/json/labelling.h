// What a person who labels sends and sees. Nothing here names a response, a model or a judge: the
// view is blind.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <vector>

#include "services/httpd/request.h"
#include "storage/repo/judgments.h"
#include "storage/repo/queue.h"

namespace hone::server {

/// {"n": 1..3, "holding": [assignment ids that the page shows already]}. Throws Invalid.
storage::Ask parse_ask(const nlohmann::json& body);

/// {"ids": [...]} of assignments.
std::vector<AssignmentId> parse_assignments(const nlohmann::json& body);

/// {"impression", "verdict", "strength", "skip_reason", "timing"} with the key of the header and
/// the hash of the body as it came. `judge` and `assignment` are the caller's to fill. Throws
/// Invalid.
storage::NewJudgment parse_judgment(const httpd::Request& request);

nlohmann::json to_json(const storage::Item& item);
nlohmann::json to_json(const storage::HandedOut& handed_out);
nlohmann::json to_json(const storage::MyJudgment& judgment);
nlohmann::json to_json(const storage::MyStats& stats);

}  // namespace hone::server
