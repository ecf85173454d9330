/// The decision about the next attempt.
#pragma once

#include <atomic>
#include <chrono>
#include <optional>

#include "failure.h"
#include "random.h"

namespace hmacd::internal {

/// Limits the retries of all calls of a client: a bucket of 100 tokens. Thread-safe.
class RetryBudget {
 public:
  /// Takes the token of a retry. Returns false if there is none.
  bool take() noexcept;
  /// Gives a tenth of a token: a call succeeded at its first attempt.
  void give() noexcept;

 private:
  static constexpr int full = 1000;
  std::atomic<int> tenths_{full};
};

/// The retries of one call. Not thread-safe.
class RetryPlan {
 public:
  enum class Action { stop, again, reconnect };
  struct Step {
    Action action;
    std::chrono::milliseconds delay;
  };

  RetryPlan(RetryBudget &budget, Random random) : budget_(budget), random_(std::move(random)) {}

  /// Decides after a failed attempt.
  ///
  /// @param other_usable whether another target than that of the failed attempt is usable
  /// @param remaining the time until the deadline of the call
  Step after(const Failure &failure, bool other_usable, std::chrono::nanoseconds remaining);

 private:
  std::chrono::milliseconds back_off();
  // The back-off after the delay of the daemon, so that clients do not retry together. A delay of 0 permits a retry at
  // once.
  std::chrono::milliseconds wait(std::optional<std::chrono::milliseconds> daemon_delay);

  RetryBudget &budget_;
  Random random_;
  int attempts_ = 0;
  bool repeated_damage_ = false;
  bool reconnected_ = false;
};

}  // namespace hmacd::internal
