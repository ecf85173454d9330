/// The calls of a client that have not ended.
#pragma once

#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <set>
#include <vector>

namespace hmacd::internal {

class Call;

/// Keeps the calls until they end. Thread-safe.
class CallsInFlight {
 public:
  /// @return false after `close`
  bool enter(std::shared_ptr<Call> call);
  void leave(const std::shared_ptr<Call> &call);

  /// Refuses new calls.
  void close();
  /// Waits until no call is in flight, or for at most `limit`.
  /// @return the calls in flight
  std::vector<std::shared_ptr<Call>> wait(std::chrono::milliseconds limit);

 private:
  std::mutex mutex_;
  std::condition_variable ended_;
  bool closed_ = false;
  std::set<std::shared_ptr<Call>> calls_;
};

}  // namespace hmacd::internal
