/// The recent diagnoses of the targets.
#pragma once

#include <chrono>
#include <mutex>
#include <optional>
#include <vector>

#include "tls_probe.h"

namespace hmacd::internal {

/// Limits the diagnoses of a target to one at a time and one a second, and has its last one. Thread-safe.
class Diagnoses {
 public:
  using Time = std::chrono::steady_clock::time_point;

  explicit Diagnoses(std::size_t targets) : states_(targets) {}

  /// @return whether the caller makes a diagnosis of the target now, and calls `end`
  bool begin(std::size_t target, Time now) {
    const std::lock_guard lock(mutex_);
    State &state = states_[target];
    if (state.running || (state.begun && now - *state.begun < std::chrono::seconds(1))) return false;
    state.running = true;
    state.begun = now;
    return true;
  }

  void end(std::size_t target, Diagnosis diagnosis) {
    const std::lock_guard lock(mutex_);
    states_[target].running = false;
    states_[target].last = std::move(diagnosis);
  }

  /// The last diagnosis. Nothing if it began more than a second before `since`.
  std::optional<Diagnosis> last(std::size_t target, Time since) const {
    const std::lock_guard lock(mutex_);
    const State &state = states_[target];
    return state.begun && *state.begun >= since - std::chrono::seconds(1) ? state.last : std::nullopt;
  }

 private:
  struct State {
    bool running = false;
    std::optional<Time> begun;
    std::optional<Diagnosis> last;
  };

  mutable std::mutex mutex_;
  std::vector<State> states_;
};

}  // namespace hmacd::internal
