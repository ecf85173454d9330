/// The choice of the target of an attempt.
#pragma once

#include <chrono>
#include <cstddef>
#include <mutex>
#include <vector>

#include "random.h"

namespace hmacd::internal {

/// Selects targets in turn, and suspends a target after a transport failure. Thread-safe.
///
/// Each result of `pick` is given back exactly once, to `answered`, `failed` or `released`.
class TargetPicker {
 public:
  using Time = std::chrono::steady_clock::time_point;

  struct Choice {
    std::size_t target;
    /// The attempt timeout applies: another target is usable.
    bool limited;
    /// The attempt waits for a connection until the deadline of the call: no target is usable, or there is only one.
    bool waits;
    /// The first attempt after a suspension.
    bool probe;
    Time time;
  };

  TargetPicker(std::size_t targets, Random random) : states_(targets), random_(std::move(random)) {}

  Choice pick(Time now);
  /// Picks the given target, also if it is suspended.
  Choice pick(std::size_t target, Time now);

  /// The daemon answered: ends the suspension.
  void answered(const Choice &choice);
  /// A transport failure: suspends the target. One suspension starts if several attempts fail at once.
  void failed(const Choice &choice, Time now);
  /// The attempt ended without a statement about the target.
  void released(const Choice &choice);

  bool other_usable(std::size_t target, Time now) const;

 private:
  struct State {
    int failures = 0;
    bool probing = false;
    Time suspended_since{};
    Time suspended_until{};

    bool usable(Time now) const { return failures == 0 || (!probing && now >= suspended_until); }
  };

  Choice choose(std::size_t target, Time now);
  bool other_usable_locked(std::size_t target, Time now) const;

  mutable std::mutex mutex_;
  std::vector<State> states_;
  std::size_t next_ = 0;
  Random random_;
};

}  // namespace hmacd::internal
