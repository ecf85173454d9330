#include "target_picker.h"

#include <algorithm>

namespace hmacd::internal {
namespace {

using std::chrono::milliseconds;

// 0.1 s, twice as long after each further failure, at most 5 s.
milliseconds suspension(int failures) { return milliseconds(std::min(5000, 100 << std::min(failures - 1, 6))); }

}  // namespace

TargetPicker::Choice TargetPicker::pick(Time now) {
  const std::lock_guard lock(mutex_);
  for (std::size_t i = 0; i < states_.size(); ++i) {
    const std::size_t target = (next_ + i) % states_.size();
    if (!states_[target].usable(now)) continue;
    next_ = target + 1;
    return choose(target, now);
  }
  const auto first = std::min_element(states_.begin(), states_.end(), [](const State &a, const State &b) {
    return a.suspended_until < b.suspended_until;
  });
  return choose(first - states_.begin(), now);
}

TargetPicker::Choice TargetPicker::pick(std::size_t target, Time now) {
  const std::lock_guard lock(mutex_);
  return choose(target, now);
}

TargetPicker::Choice TargetPicker::choose(std::size_t target, Time now) {
  State &state = states_[target];
  const bool usable = state.usable(now);
  const bool probe = usable && state.failures > 0;
  if (probe) state.probing = true;
  return {target, other_usable_locked(target, now), !usable || states_.size() == 1, probe, now};
}

void TargetPicker::answered(const Choice &choice) {
  const std::lock_guard lock(mutex_);
  states_[choice.target] = State{};
}

void TargetPicker::failed(const Choice &choice, Time now) {
  const std::lock_guard lock(mutex_);
  State &state = states_[choice.target];
  if (choice.probe) state.probing = false;
  if (state.failures > 0 && choice.time < state.suspended_since) return;
  ++state.failures;
  const double jitter = 0.8 + 0.4 * random_();
  state.suspended_since = now;
  state.suspended_until =
      now + std::chrono::duration_cast<std::chrono::nanoseconds>(suspension(state.failures) * jitter);
}

void TargetPicker::released(const Choice &choice) {
  const std::lock_guard lock(mutex_);
  if (choice.probe) states_[choice.target].probing = false;
}

bool TargetPicker::other_usable(std::size_t target, Time now) const {
  const std::lock_guard lock(mutex_);
  return other_usable_locked(target, now);
}

bool TargetPicker::other_usable_locked(std::size_t target, Time now) const {
  for (std::size_t other = 0; other < states_.size(); ++other) {
    if (other != target && states_[other].usable(now)) return true;
  }
  return false;
}

}  // namespace hmacd::internal
