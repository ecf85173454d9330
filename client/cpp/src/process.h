/// The detection of `fork`.
#pragma once

namespace hmacd::internal {

/// The number of `fork`s between this process and the first one. Cheap.
int process_generation();

/// Records that gRPC runs in this process.
/// @return false if gRPC started in a parent process: its threads do not exist here, and calls would hang
bool enter_grpc();

}  // namespace hmacd::internal
