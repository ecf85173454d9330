/// The threads of gRPC that run callbacks.
#pragma once

namespace hmacd::internal {

/// Keeps the threads until the end of the process. Idempotent, thread-safe.
///
/// gRPC ends them when the last channel or server with callbacks is destroyed. A callback can destroy the last
/// reference of a channel: then a thread would wait for its own end, and gRPC 1.51 aborts the process.
void keep_callback_threads();

}  // namespace hmacd::internal
