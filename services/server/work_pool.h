// Blocking work away from the io threads: PostgreSQL, files, password hashes.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include "services/httpd/net.h"

namespace hone::server {

namespace net = httpd::net;

/// A few threads and a bounded queue. A full queue refuses at once with Error{Busy}, so that a
/// flood is answered instead of remembered. Any thread.
class WorkPool {
 public:
  WorkPool(std::string name, std::size_t threads, std::size_t waiting_max);
  ~WorkPool();  ///< finishes what was accepted

  /// Runs `job` on a pool thread and resumes the caller on its own executor; what the job throws is
  /// thrown here. The coroutine is not cancelled while its job runs.
  net::awaitable<void> run(std::function<void()> job);

  /// The same with a result.
  template <class F, class R = std::invoke_result_t<F&>>
  net::awaitable<R> call(F f) {
    if constexpr (std::is_void_v<R>) {
      std::function<void()> job = [&f] { f(); };
      co_await run(std::move(job));
    } else {
      std::optional<R> result;
      std::function<void()> job = [&f, &result] { result.emplace(f()); };
      co_await run(std::move(job));
      co_return std::move(*result);
    }
  }

  /// Accepts no more work and waits for the rest.
  void join();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace hone::server
