/// Deadlines for gRPC on the monotonic clock.
#pragma once

#include <grpc/support/time.h>

#include <chrono>

namespace hmacd::internal {

/// The time `delay` from now. A change of the system's time does not move it.
inline gpr_timespec after(std::chrono::nanoseconds delay) {
  return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_nanos(delay.count(), GPR_TIMESPAN));
}

}  // namespace hmacd::internal
