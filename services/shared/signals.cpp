#include "services/shared/signals.h"

#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <thread>

namespace hone::shared {

struct StopSignals::State {
  std::function<void()> on_stop;
  std::atomic<bool> ending{false};
  std::thread thread;

  void wait() {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    for (int count = 0;;) {
      int signal = 0;
      if (sigwait(&set, &signal) != 0) continue;
      if (ending) return;
      if (++count == 1)
        on_stop();
      else
        _exit(130);
    }
  }
};

StopSignals::StopSignals(std::function<void()> on_stop) : state_(std::make_unique<State>()) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  state_->on_stop = std::move(on_stop);
  state_->thread = std::thread([state = state_.get()] { state->wait(); });
}

StopSignals::~StopSignals() {
  // Blocked in every other thread, the signal can only end the wait.
  state_->ending = true;
  pthread_kill(state_->thread.native_handle(), SIGTERM);
  state_->thread.join();
}

}  // namespace hone::shared
