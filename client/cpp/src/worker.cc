#include "worker.h"

#include <pthread.h>
#include <signal.h>

#include <utility>

namespace hmacd::internal {

Worker::Worker(std::chrono::milliseconds period, Task periodic) {
  // The program's signals are for its own threads. OpenSSL's writes can raise SIGPIPE.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    thread_ = std::thread([state = state_, period, periodic = std::move(periodic)] { run(*state, period, periodic); });
  } catch (...) {
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    throw;
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

Worker::~Worker() { stop(); }

bool Worker::post(Task task) {
  const std::lock_guard lock(state_->mutex);
  if (state_->stopping) return false;
  state_->tasks.push_back(std::move(task));
  state_->changed.notify_all();
  return true;
}

void Worker::stop(std::optional<std::chrono::milliseconds> limit) {
  // Destroyed after the lock is released.
  std::deque<Task> dropped;
  bool ended = true;
  {
    std::unique_lock lock(state_->mutex);
    state_->stopping = true;
    state_->changed.notify_all();
    if (limit) ended = state_->changed.wait_for(lock, *limit, [this] { return state_->ended; });
    if (!ended) dropped.swap(state_->tasks);
  }
  if (!thread_.joinable()) return;
  ended ? thread_.join() : thread_.detach();
}

void Worker::run(State &state, std::chrono::milliseconds period, const Task &periodic) {
  pthread_setname_np(pthread_self(), "hmacd-client");
  auto next = std::chrono::steady_clock::now() + period;
  std::unique_lock lock(state.mutex);
  while (true) {
    state.changed.wait_until(lock, next, [&state] { return state.stopping || !state.tasks.empty(); });
    if (!state.tasks.empty()) {
      {
        const Task task = std::move(state.tasks.front());
        state.tasks.pop_front();
        lock.unlock();
        task();
      }
      lock.lock();
    } else if (state.stopping) {
      state.ended = true;
      state.changed.notify_all();
      return;
    }
    if (!state.stopping && std::chrono::steady_clock::now() >= next) {
      lock.unlock();
      periodic();
      lock.lock();
      next = std::chrono::steady_clock::now() + period;
    }
  }
}

}  // namespace hmacd::internal
