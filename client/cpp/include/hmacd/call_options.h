/// The options of one call.
#pragma once

#include <chrono>
#include <memory>
#include <optional>

namespace hmacd {

namespace internal {
class CancellationState;
}

/// Cancels calls. Copies share one state. Thread-safe.
class Cancellation {
 public:
  Cancellation();
  /// Cancels all calls with this cancellation, also later calls. The calls fail with `CANCELLED`. Idempotent.
  void cancel() const;

  const std::shared_ptr<internal::CancellationState> &state() const noexcept { return state_; }

 private:
  std::shared_ptr<internal::CancellationState> state_;
};

/// The options of one call.
struct CallOptions {
  /// The deadline. Without a deadline, or with a later one than that of `Settings::timeout`, the timeout applies.
  std::optional<std::chrono::steady_clock::time_point> deadline;
  /// Cancels the call on the wire.
  std::optional<Cancellation> cancellation;
};

}  // namespace hmacd
