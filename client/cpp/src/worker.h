/// The background threads of a client.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
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
  ///
  /// @param limit the longest wait. Without an end of the running task, the thread goes on with this task, and then
  /// ends: the tasks must own what they use
  void stop(std::optional<std::chrono::milliseconds> limit = std::nullopt);

 private:
  // Of the worker and its thread.
  struct State {
    std::mutex mutex;
    std::condition_variable changed;
    std::deque<Task> tasks;
    bool stopping = false;
    bool ended = false;
  };

  static void run(State &state, std::chrono::milliseconds period, const Task &periodic);

  const std::shared_ptr<State> state_ = std::make_shared<State>();
  std::thread thread_;
};

}  // namespace hmacd::internal
