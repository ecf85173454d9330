/// The background threads of a client.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace hmacd::internal {

/// A thread that runs tasks that may block, one after the other, and one periodic task. It receives no signals.
class Worker {
 public:
  using Task = std::function<void()>;

  /// Starts the thread. Tasks must not throw.
  /// @param periodic may do nothing
  Worker(std::chrono::milliseconds period, Task periodic);
  ~Worker();
  Worker(const Worker &) = delete;
  Worker &operator=(const Worker &) = delete;

  /// Queues a task. A task that is queued before `stop` runs.
  /// @return false after `stop`: the task does not run
  bool post(Task task);

  /// Runs the queued tasks, and ends the thread. Idempotent.
  void stop();

 private:
  void run();

  const std::chrono::milliseconds period_;
  const Task periodic_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Task> tasks_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace hmacd::internal
