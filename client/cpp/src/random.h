/// Randomness for jitter.
#pragma once

#include <functional>

namespace hmacd::internal {

/// Returns a random number, at least 0 and less than 1. Thread-safe. Not for secrets.
using Random = std::function<double()>;

Random thread_random();

}  // namespace hmacd::internal
