#include "services/server/events/job_stream.h"

#include <charconv>
#include <chrono>
#include <cstdint>
#include <nlohmann/json.hpp>

#include "feedback/base/error.h"
#include "services/httpd/sse.h"
#include "services/server/auth/authenticate.h"
#include "services/server/events/event_hub.h"
#include "services/server/json/list.h"
#include "storage/repo/jobs.h"

namespace hone::server {
namespace {

using Steady = std::chrono::steady_clock;

constexpr auto kHeartbeat = std::chrono::seconds(25);
constexpr auto kPoll = std::chrono::milliseconds(1000);  // for a hint that got lost
constexpr auto kCheckLogin = std::chrono::seconds(3);
constexpr int kBatch = 200;
constexpr std::size_t kPendingMax = 64 * 1024;

nlohmann::ordered_json to_json(const storage::JobEvent& event) {
  nlohmann::ordered_json json;
  json["seq"] = event.seq;
  json["type"] = event.type;
  json["at"] = event.at;
  json["level"] = event.level;
  json["message"] = event.message;
  json["data"] = event.data.empty() ? nlohmann::ordered_json(nullptr)
                                    : nlohmann::ordered_json::parse(event.data);
  return json;
}

struct Batch {
  std::vector<storage::JobEvent> events;
  std::string state;
};

// State before events: a job found final has written its last event.
Batch read_batch(storage::Tx& tx, const JobId& job, std::int64_t after) {
  Batch batch;
  batch.state = storage::get_job(tx, job).state;
  batch.events = storage::list_events(tx, job, after, kBatch);
  return batch;
}

std::int64_t start_after(const httpd::Request& request) {
  std::string text(request.header("last-event-id"));
  if (text.empty()) text = request.find_query("after_seq").value_or("0");
  std::int64_t seq = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), seq);
  if (failed != std::errc() || end != text.data() + text.size() || seq < 0)
    throw Error(Code::Invalid, "after_seq must be the number of an event", "after_seq");
  return seq;
}

// A stream outlives the check at its start, so it asks again: a login that ended, a role that was
// taken away or a revoked token ends it too.
net::awaitable<bool> still_allowed(App& app, Caller caller) {
  const Credential credential{caller.by, caller.credential,
                              caller.by == Caller::By::Cookie ? caller.team.value : ""};
  const auto find = [credential](storage::Tx& tx) { return find_caller(tx, credential); };
  try {
    const auto now = co_await app.db.transact(find);
    co_return now && now->team == caller.team && now->role >= caller.role;
  } catch (const Error& error) {
    // While the database is away nobody can be asked and nothing is sent either.
    co_return error.code() == Code::Busy;
  }
}

// What is pending for a client is one piece of at most 64 KB: the next events are read from
// PostgreSQL only when it has taken them. A client that takes nothing for 30 s is dropped by the
// listener and resumes with Last-Event-ID.
net::awaitable<void> run_stream(App& app, Caller caller, JobId job, std::int64_t after,
                                httpd::Sink& sink) {
  auto last_sent = Steady::now(), last_check = Steady::now();
  if (!co_await sink.write("retry: 2000\n\n")) co_return;
  while (sink.open() && !app.events.closed()) {
    if (Steady::now() - last_check >= kCheckLogin) {
      if (!co_await still_allowed(app, caller)) co_return;
      last_check = Steady::now();
    }
    Batch batch;
    bool away = false;
    try {
      const auto read = [job, after](storage::Tx& tx) { return read_batch(tx, job, after); };
      batch = co_await app.db.transact(caller.team, read);
    } catch (const Error& error) {
      if (error.code() != Code::Busy) throw;
      away = true;  // a restart of the database: the stream waits for it
    }
    std::string text;
    for (const auto& event : batch.events) {
      if (text.size() >= kPendingMax) break;
      text += httpd::sse_event(event.seq, event.type, to_json(event).dump());
      after = event.seq;
    }
    const bool drained =
        batch.events.empty() || (after == batch.events.back().seq && batch.events.size() < kBatch);
    const bool ended = !away && drained && storage::is_final_state(batch.state);
    if (ended)
      text += httpd::sse_event(std::nullopt, "end", nlohmann::json{{"state", batch.state}}.dump());
    if (text.empty() && Steady::now() - last_sent >= kHeartbeat) text = httpd::kSseHeartbeat;
    if (!text.empty()) {
      if (!co_await sink.write(std::move(text))) co_return;
      last_sent = Steady::now();
    }
    if (ended) co_return;
    if (drained) co_await app.events.wait(job.value, kPoll);
  }
}

}  // namespace

bool wants_event_stream(const httpd::Request& request) {
  return request.header("accept").find("text/event-stream") != std::string_view::npos;
}

net::awaitable<httpd::Response> job_events(App& app, Caller caller, httpd::Request request,
                                           JobId job) {
  const auto after = start_after(request);
  if (!wants_event_stream(request)) {
    const auto limit = page_asked(app, request).limit;
    const auto read = [job, after, limit](storage::Tx& tx) {
      return storage::list_events(tx, job, after, limit + 1);
    };
    auto events = co_await app.db.transact(caller.team, read);
    const bool more = events.size() > static_cast<std::size_t>(limit);
    if (more) events.pop_back();
    auto data = nlohmann::ordered_json::array();
    for (const auto& event : events) data.push_back(to_json(event));
    nlohmann::ordered_json body;
    body["data"] = std::move(data);
    body["has_more"] = more;
    // Events count themselves: the next page is ?after_seq= of the last.
    body["next"] = more ? nlohmann::ordered_json(std::to_string(events.back().seq))
                        : nlohmann::ordered_json(nullptr);
    co_return httpd::Response(httpd::http::status::ok, body.dump());
  }
  App* const application = &app;
  httpd::Generator generate = [application, caller, job, after](httpd::Sink& sink) {
    return run_stream(*application, caller, job, after, sink);
  };
  auto response = httpd::Response::stream(std::move(generate), "text/event-stream");
  response.with("X-Accel-Buffering", "no");
  co_return response;
}

}  // namespace hone::server
