#include "services/server/json/once.h"

#include <algorithm>

#include "feedback/base/error.h"
#include "services/server/auth/digest.h"
#include "storage/repo/idempotency.h"

namespace hone::server {
namespace {

using httpd::Response;
using httpd::http::status;

Response replayed(const storage::StoredReply& stored) {
  Response response(static_cast<status>(stored.status), stored.body);
  response.with("Idempotent-Replayed", "true");
  return response;
}

Response in_flight() {
  auto response = Response::problem(status::conflict,
                                    "the first request with this Idempotency-Key is still at work",
                                    "in_flight");
  response.with("Retry-After", "1").with("x-should-retry", "true");
  return response;
}

}  // namespace

net::awaitable<Response> act_once(App& app, Caller caller, httpd::Request request,
                                  std::function<Response(storage::Tx&)> act) {
  const std::string key(request.header("idempotency-key"));
  if (key.empty()) co_return co_await app.db.transact(caller.team, act);

  const bool printable =
      std::all_of(key.begin(), key.end(), [](char c) { return c > ' ' && c < 0x7f; });
  if (key.size() < 16 || key.size() > 128 || !printable)
    throw Error(Code::Invalid,
                "Idempotency-Key must be 16 to 128 printable characters without spaces",
                "Idempotency-Key");
  const storage::IdempotencyKey id{caller.actor(),
                                   std::string(to_string(request.method)) + " " + request.path, key,
                                   sha256_hex(request.target + "\n" + request.body)};
  const auto once = [id, act](storage::Tx& tx) -> Response {
    const auto found = storage::begin_idempotent(tx, id);
    switch (found.state) {
      case storage::KeyState::Replay:
        return replayed(found.reply);
      case storage::KeyState::KeyReused:
        throw Error(Code::Invalid, "this Idempotency-Key was used for another request",
                    "Idempotency-Key");
      case storage::KeyState::InFlight:
        return in_flight();
      case storage::KeyState::Fresh:
        break;
    }
    auto response = act(tx);
    // Refusals are not remembered: what was refused once may be right later.
    if (const auto* text = std::get_if<std::string>(&response.body);
        text && static_cast<unsigned>(response.status) < 300)
      storage::save_reply(tx, id, {static_cast<int>(response.status), *text});
    return response;
  };
  co_return co_await app.db.transact(caller.team, once);
}

}  // namespace hone::server
