#include "services/server/events/event_hub.h"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <boost/asio/post.hpp>

#include <map>
#include <mutex>

namespace hone::server {

struct EventHub::State {
  std::mutex mutex;
  std::multimap<std::string, std::shared_ptr<net::steady_timer>> waiting;
  bool closed = false;
};

namespace {

// A timer is touched on its own executor only; other threads ask it to be.
void wake(const std::shared_ptr<net::steady_timer>& timer) {
  net::post(timer->get_executor(), [timer] { timer->cancel(); });
}

}  // namespace

EventHub::EventHub() : state_(std::make_shared<State>()) {}
EventHub::~EventHub() = default;

net::awaitable<void> EventHub::wait(std::string topic, std::chrono::milliseconds most) {
  const auto state = state_;
  auto timer = std::make_shared<net::steady_timer>(co_await net::this_coro::executor, most);
  std::multimap<std::string, std::shared_ptr<net::steady_timer>>::iterator place;
  {
    const std::lock_guard lock(state->mutex);
    if (state->closed) co_return;
    place = state->waiting.emplace(topic, timer);
  }
  boost::system::error_code woken;
  co_await timer->async_wait(net::redirect_error(net::use_awaitable, woken));
  const std::lock_guard lock(state->mutex);
  state->waiting.erase(place);
}

void EventHub::announce(const std::string& topic) {
  const std::lock_guard lock(state_->mutex);
  const auto [begin, end] = state_->waiting.equal_range(topic);
  for (auto at = begin; at != end; ++at) wake(at->second);
}

void EventHub::close() {
  const std::lock_guard lock(state_->mutex);
  state_->closed = true;
  for (const auto& [topic, timer] : state_->waiting) wake(timer);
}

bool EventHub::closed() const {
  const std::lock_guard lock(state_->mutex);
  return state_->closed;
}

}  // namespace hone::server
