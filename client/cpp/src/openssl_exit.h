/// OpenSSL at the exit of the process.
#pragma once

namespace hmacd::internal {

/// Makes OpenSSL keep its state at exit (OPENSSL_INIT_NO_ATEXIT). Idempotent, thread-safe.
///
/// At exit, OpenSSL frees its state, but the threads of gRPC still run. A thread that connects then crashes the process.
/// gRPC makes the same call since 1.83. The call has no effect after another use of OpenSSL in this process, so the
/// library also makes it before `main`.
void keep_openssl_at_exit();

}  // namespace hmacd::internal
