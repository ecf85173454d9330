/// The state behind `Cancellation`.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>

namespace hmacd::internal {

/// Calls hooks at the cancellation. Thread-safe.
class CancellationState {
 public:
  /// Adds a hook. If the cancellation has happened, calls the hook now.
  /// @return the id for `remove`
  std::uint64_t add(std::function<void()> hook);
  void remove(std::uint64_t id);
  void cancel();

 private:
  std::mutex mutex_;
  bool cancelled_ = false;
  std::uint64_t next_ = 0;
  std::map<std::uint64_t, std::function<void()>> hooks_;
};

}  // namespace hmacd::internal
