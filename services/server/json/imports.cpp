#include "services/server/json/imports.h"

#include <fmt/format.h>

#include "services/server/json/values.h"

namespace hone::server {
namespace {

using nlohmann::json;
using shared::ImportFormat;

constexpr int kImportStrength = 2;

/// The value of a query parameter that is one of a few words; the first one when it is absent.
std::string word(const httpd::Request& request, const char* name,
                 std::initializer_list<std::string_view> words) {
  const auto given = request.find_query(name);
  if (!given) return std::string(*words.begin());
  for (const auto word : words)
    if (*given == word) return *given;
  std::string all;
  for (const auto word : words) all += (all.empty() ? "" : ", ") + std::string(word);
  throw Error(Code::Invalid, std::string(name) + ": must be one of " + all, name);
}

json to_json(const std::vector<shared::ImportIssue>& issues) {
  auto out = json::array();
  for (const auto& issue : issues)
    out.push_back({{"line", issue.line}, {"pointer", issue.pointer}, {"detail", issue.detail}});
  return out;
}

}  // namespace

ImportAsked parse_import_asked(const httpd::Request& request) {
  ImportAsked out;
  const auto format = word(request, "format", {"auto", "prompts", "trl", "hh"});
  if (format == "prompts") out.format = ImportFormat::Prompts;
  if (format == "trl") out.format = ImportFormat::Trl;
  if (format == "hh") out.format = ImportFormat::Hh;
  const auto split = word(request, "split", {"auto", "train", "held_out"});
  if (split != "auto") out.split = split;
  out.keep_good = word(request, "mode", {"all_or_nothing", "keep_good"}) == "keep_good";
  out.dry_run = word(request, "dry_run", {"false", "true"}) == "true";
  return out;
}

json to_row(const shared::ImportedRow& row, const ImportAsked& asked) {
  json out{{"prompt", shared::to_json(row.prompt)}};
  if (row.external_id) out["external_id"] = *row.external_id;
  if (row.answer) out["answer"] = *row.answer;
  if (row.split || asked.split) out["split"] = row.split ? *row.split : *asked.split;
  if (!row.responses.empty()) {
    for (const auto& response : row.responses)
      out["responses"].push_back(shared::to_json(response));
    out["label"] = {{"verdict", "prefer"}, {"strength", kImportStrength}};
  }
  return out;
}

json to_json(const std::optional<std::string>& id, const shared::ImportReport& report,
             const storage::ImportCounts& added) {
  return {{"id", or_null(id)},
          {"format", report.format ? json(shared::to_string(*report.format)) : json(nullptr)},
          {"dry_run", !id},
          {"lines", report.lines},
          {"rows", report.rows},
          {"added",
           {{"prompts", added.prompts},
            {"responses", added.responses},
            {"comparisons", added.comparisons},
            {"judgments", added.judgments},
            {"answers", added.answers}}},
          {"duplicates", added.duplicates},
          {"refused", report.refused},
          {"warned", report.warned},
          {"warnings", to_json(report.warnings)},
          {"errors", to_json(report.errors)}};
}

httpd::Response refuse_import(const shared::ImportReport& report) {
  httpd::Problem problem;
  problem.code = "bad_rows";
  if (report.refused == 0) {
    problem.code = "no_rows";
    problem.detail = "the file holds no rows";
  } else {
    problem.detail = fmt::format(
        "{} of {} rows are refused, so nothing was stored; mode=keep_good keeps the good ones",
        report.refused, report.refused + report.rows);
    for (const auto& error : report.errors)
      problem.items.push_back({error.pointer, error.line, error.detail});
  }
  problem.extra =
      json{{"lines", report.lines}, {"rows", report.rows}, {"refused", report.refused}}.dump();
  return httpd::Response::problem(httpd::http::status::unprocessable_entity, std::move(problem));
}

}  // namespace hone::server
