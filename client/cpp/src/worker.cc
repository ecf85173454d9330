#include "worker.h"

#include <pthread.h>
#include <signal.h>

#include <utility>

namespace hmacd::internal {

Worker::Worker(std::chrono::milliseconds period, Task periodic) : period_(period), periodic_(std::move(periodic)) {
  // The program's signals are for its own threads. OpenSSL's writes can raise SIGPIPE.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    thread_ = std::thread([this] { run(); });
  } catch (...) {
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    throw;
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

Worker::~Worker() { stop(); }

bool Worker::post(Task task) {
  const std::lock_guard lock(mutex_);
  if (stopping_) return false;
  tasks_.push_back(std::move(task));
  changed_.notify_one();
  return true;
}

void Worker::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    changed_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
}

void Worker::run() {
  pthread_setname_np(pthread_self(), "hmacd-client");
  auto next = std::chrono::steady_clock::now() + period_;
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait_until(lock, next, [this] { return stopping_ || !tasks_.empty(); });
    if (!tasks_.empty()) {
      const Task task = std::move(tasks_.front());
      tasks_.pop_front();
      lock.unlock();
      task();
      lock.lock();
    } else if (stopping_) {
      return;
    }
    if (std::chrono::steady_clock::now() >= next) {
      lock.unlock();
      periodic_();
      lock.lock();
      next = std::chrono::steady_clock::now() + period_;
    }
  }
}

}  // namespace hmacd::internal
