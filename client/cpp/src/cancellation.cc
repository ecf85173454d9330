#include "cancellation.h"

#include <utility>

#include "hmacd/call_options.h"

namespace hmacd {
namespace internal {

std::uint64_t CancellationState::add(std::function<void()> hook) {
  std::unique_lock lock(mutex_);
  const std::uint64_t id = next_++;
  if (!cancelled_) {
    hooks_.emplace(id, std::move(hook));
    return id;
  }
  lock.unlock();
  hook();
  return id;
}

void CancellationState::remove(std::uint64_t id) {
  const std::lock_guard lock(mutex_);
  hooks_.erase(id);
}

void CancellationState::cancel() {
  std::map<std::uint64_t, std::function<void()>> hooks;
  {
    const std::lock_guard lock(mutex_);
    cancelled_ = true;
    hooks.swap(hooks_);
  }
  for (const auto &[id, hook] : hooks) hook();
}

}  // namespace internal

Cancellation::Cancellation() : state_(std::make_shared<internal::CancellationState>()) {}

void Cancellation::cancel() const { state_->cancel(); }

}  // namespace hmacd
