#include "process.h"

#include <pthread.h>

#include <atomic>

namespace hmacd::internal {
namespace {

std::atomic<int> generation{0};
// The generation in which gRPC started; -1 before.
std::atomic<int> grpc_generation{-1};

const int registered = pthread_atfork(nullptr, nullptr, [] { generation.fetch_add(1); });

}  // namespace

int process_generation() {
  static_cast<void>(registered);
  return generation.load(std::memory_order_relaxed);
}

bool enter_grpc() {
  int started = -1;
  grpc_generation.compare_exchange_strong(started, process_generation());
  return grpc_generation.load() == process_generation();
}

}  // namespace hmacd::internal
