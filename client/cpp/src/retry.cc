#include "retry.h"

#include <algorithm>
#include <utility>

#include "reasons.h"

namespace hmacd::internal {
namespace {

using std::chrono::milliseconds;

Retry retry_of(const Failure &failure) {
  if (failure.transport) return Retry::next_target;
  if (!failure.from_daemon) return Retry::never;
  return asks_for_retry(failure) ? Retry::back_off : daemon_reason(failure.reason).retry;
}

}  // namespace

bool RetryBudget::take() noexcept {
  constexpr int token = 10;
  int seen = tenths_.load();
  do {
    if (seen < token) return false;
  } while (!tenths_.compare_exchange_weak(seen, seen - token));
  return true;
}

void RetryBudget::give() noexcept {
  int seen = tenths_.load();
  do {
    if (seen == full) return;
  } while (!tenths_.compare_exchange_weak(seen, seen + 1));
}

milliseconds RetryPlan::back_off() {
  const int longest = std::min(1000, 50 << std::min(attempts_ - 1, 5));
  return milliseconds(static_cast<int>(random_() * (longest + 1)));
}

milliseconds RetryPlan::wait(std::optional<milliseconds> daemon_delay) {
  if (!daemon_delay) return back_off();
  return daemon_delay->count() == 0 ? milliseconds(0) : *daemon_delay + back_off();
}

RetryPlan::Step RetryPlan::after(const Failure &failure, bool other_usable, std::chrono::nanoseconds remaining) {
  ++attempts_;
  const Step stop{Action::stop, milliseconds(0)};
  Step step{Action::again, milliseconds(0)};
  switch (retry_of(failure)) {
    case Retry::never: return stop;
    case Retry::next_target:
      // gRPC itself delays connections. A target that breaks calls after it has connected needs the back-off.
      if (failure.sent && !other_usable) step.delay = wait(failure.retry_delay);
      break;
    case Retry::back_off: step.delay = wait(failure.retry_delay); break;
    case Retry::once:
      if (std::exchange(repeated_damage_, true)) return stop;
      break;
    case Retry::reconnect:
      if (std::exchange(reconnected_, true)) return stop;
      step.action = Action::reconnect;
      break;
  }
  if (failure.no_retry || step.delay >= remaining) return stop;
  if (failure.sent && !budget_.take()) return stop;
  return step;
}

}  // namespace hmacd::internal
