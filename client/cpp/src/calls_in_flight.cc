#include "calls_in_flight.h"

#include <utility>

namespace hmacd::internal {

bool CallsInFlight::enter(std::shared_ptr<Call> call) {
  const std::lock_guard lock(mutex_);
  if (closed_) return false;
  calls_.insert(std::move(call));
  return true;
}

void CallsInFlight::leave(const std::shared_ptr<Call> &call) {
  const std::lock_guard lock(mutex_);
  calls_.erase(call);
  if (calls_.empty()) ended_.notify_all();
}

void CallsInFlight::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
}

std::vector<std::shared_ptr<Call>> CallsInFlight::wait(std::chrono::milliseconds limit) {
  std::unique_lock lock(mutex_);
  ended_.wait_for(lock, limit, [this] { return calls_.empty(); });
  return {calls_.begin(), calls_.end()};
}

}  // namespace hmacd::internal
