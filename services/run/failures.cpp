#include "services/run/failures.h"

#include <c10/util/Exception.h>

#include <cerrno>
#include <new>
#include <nlohmann/json.hpp>
#include <system_error>

#include "feedback/base/error.h"
#include "rl/train/failure.h"

namespace hone::run {
namespace {

Failure of_error(const Error& e) {
  Failure out{kSpec, "user", "spec", e.detail(), e.pointer(), e.line()};
  // Busy is how a file that cannot be written or read just now is told.
  if (e.code() == Code::Busy) return {kIo, "infra", "io", e.detail(), e.pointer(), e.line()};
  if (e.line() > 0 || e.pointer() == "data" || e.pointer() == "prompts") {
    out.exit_code = kData;
    out.code = "data";
  }
  return out;
}

bool out_of_memory(const std::string& text) {
  return text.find("can't allocate memory") != std::string::npos ||
         text.find("out of memory") != std::string::npos;
}

}  // namespace

Failure current_failure() {
  try {
    throw;
  } catch (const Error& e) {
    return of_error(e);
  } catch (const rl::RunFailure& e) {
    return {e.blame == "bug"     ? kBug
            : e.blame == "infra" ? kTryAgain
                                 : kSpec,
            e.blame,
            e.code,
            e.what(),
            e.param,
            0,
            e.step};
  } catch (const ParentGone& e) {
    return {kTryAgain, "infra", "parent_gone", e.what()};
  } catch (const std::system_error& e) {
    const bool full = e.code().value() == ENOSPC || e.code().value() == EDQUOT;
    return {kIo, "infra", full ? "no_space" : "io", e.what()};
  } catch (const c10::Error& e) {
    const std::string text = e.what_without_backtrace();
    if (out_of_memory(text))
      return {kSpec, "user", "memory",
              "memory ran out: a smaller micro_batch_tokens or max_tokens needs less",
              "hyperparameters.micro_batch_tokens"};
    return {kBug, "bug", "bug", text};
  } catch (const std::bad_alloc&) {
    return {kSpec, "user", "memory",
            "memory ran out: a smaller micro_batch_tokens or max_tokens needs less",
            "hyperparameters.micro_batch_tokens"};
  } catch (const std::exception& e) {
    return {kBug, "bug", "bug", e.what()};
  } catch (...) {
    return {kBug, "bug", "bug", "an unknown failure"};
  }
}

std::string to_json(const Failure& f) {
  nlohmann::ordered_json json = {
      {"ok", false}, {"blame", f.blame}, {"code", f.code}, {"detail", f.detail}};
  json["param"] = f.param.empty() ? nlohmann::ordered_json() : nlohmann::ordered_json(f.param);
  json["line"] = f.line > 0 ? nlohmann::ordered_json(f.line) : nlohmann::ordered_json();
  json["step"] = f.step >= 0 ? nlohmann::ordered_json(f.step) : nlohmann::ordered_json();
  return json.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace hone::run
