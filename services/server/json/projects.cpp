#include "services/server/json/projects.h"

#include <algorithm>
#include <cmath>

#include "services/server/json/values.h"

namespace hone::server {
namespace {

using nlohmann::json;
using shared::Fields;

constexpr std::size_t kNameMax = 200;
constexpr std::size_t kSlugMax = 63;
constexpr std::size_t kGuidelineMax = 100'000;

bool is_slug(const std::string& text) {
  const auto good = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  };
  return !text.empty() && text.size() <= kSlugMax && std::all_of(text.begin(), text.end(), good) &&
         text.front() != '-' && text.back() != '-';
}

/// "House style, v2" -> "house-style-v2". A name without a Latin letter gives "project".
std::string slug_of(const std::string& name) {
  std::string out;
  for (const unsigned char c : name) {
    if (std::isalnum(c) && c < 128)
      out += static_cast<char>(std::tolower(c));
    else if (!out.empty() && out.back() != '-')
      out += '-';
    if (out.size() == kSlugMax) break;
  }
  while (!out.empty() && out.back() == '-') out.pop_back();
  return out.empty() ? "project" : out;
}

storage::ProjectPatch parse_settings(Fields& body) {
  storage::ProjectPatch out;
  auto settings = body.find_object("settings");
  if (!settings) return out;
  if (const auto overlap = settings->find_integer("overlap", 1, 20))
    out.overlap = static_cast<int>(*overlap);
  out.held_out_share = settings->find_number("held_out_share", 0, 0.9);
  if (const auto minutes = settings->find_integer("lease_minutes", 1, 240))
    out.lease_minutes = static_cast<int>(*minutes);
  out.paused = settings->find_boolean("paused");
  settings->done();
  return out;
}

}  // namespace

storage::NewProject parse_new_project(const json& given) {
  Fields body(given);
  storage::NewProject out;
  out.name = body.text("name", {1, kNameMax});
  out.slug = body.find_text("slug", {1, kSlugMax}).value_or(slug_of(out.name));
  if (!is_slug(out.slug))
    body.refuse("slug", "may hold lower-case letters, digits and hyphens between them");
  out.guideline = body.find_text("guideline", {0, kGuidelineMax}).value_or("");
  const auto settings = parse_settings(body);
  if (settings.paused)
    throw Error(Code::Invalid, "paused: a project starts open", "/settings/paused");
  out.overlap = settings.overlap.value_or(out.overlap);
  out.held_out_share = settings.held_out_share.value_or(out.held_out_share);
  out.lease_minutes = settings.lease_minutes.value_or(out.lease_minutes);
  body.done();
  return out;
}

storage::ProjectPatch parse_project_patch(const json& given) {
  Fields body(given);
  auto out = parse_settings(body);
  out.name = body.find_text("name", {1, kNameMax});
  out.guideline = body.find_text("guideline", {0, kGuidelineMax});
  body.done();
  return out;
}

json to_json(const storage::Project& project) {
  json out{{"id", project.id.value},
           {"slug", project.slug},
           {"name", project.name},
           {"guideline", project.guideline},
           {"guideline_version", project.guideline_version},
           {"settings",
            {{"overlap", project.overlap},
             {"held_out_share", project.held_out_share},
             {"lease_minutes", project.lease_minutes},
             {"paused", project.paused}}},
           {"created_at", project.created_at}};
  if (const auto& counts = project.counts)
    out["counts"] = {{"prompts", counts->prompts},
                     {"held_out_prompts", counts->held_out_prompts},
                     {"responses", counts->responses},
                     {"comparisons", counts->comparisons},
                     {"open", counts->open},
                     {"judgments", counts->judgments},
                     {"judgments_by_kind",
                      {{"person", counts->judgments_person},
                       {"rule", counts->judgments_rule},
                       {"import", counts->judgments_import}}}};
  return out;
}

json to_json(const storage::Prompt& prompt) {
  return {{"id", prompt.id.value},
          {"messages", stored_json(prompt.messages)},
          {"split", prompt.split},
          {"external_id", or_null(prompt.external_id)},
          {"answer", or_null(prompt.answer)},
          {"responses", prompt.responses},
          {"created_at", prompt.created_at}};
}

json to_json(const storage::Base& base) {
  return {{"id", base.id.value},
          {"name", base.name},
          {"description", base.description},
          {"sha256", base.sha256},
          {"bytes", base.bytes},
          {"architecture", base.architecture},
          {"format", base.format},
          {"created_at", base.created_at}};
}

json to_json(const storage::Progress& progress) {
  // At the pace of the last hour; nobody knows when nobody answers.
  const auto left = static_cast<double>(progress.open + progress.held);
  const json eta_s =
      progress.per_hour > 0 ? json(std::ceil(left / progress.per_hour * 3600)) : json(nullptr);
  return {{"open", progress.open},
          {"held", progress.held},
          {"done", progress.done},
          {"total", progress.total},
          {"mine_today", progress.mine_today},
          {"mine_total", progress.mine_total},
          {"per_hour", progress.per_hour},
          {"eta_s", eta_s}};
}

}  // namespace hone::server
