#include "random.h"

#include <random>

namespace hmacd::internal {

Random thread_random() {
  return [] {
    thread_local std::minstd_rand engine{std::random_device{}()};
    return std::uniform_real_distribution<double>(0, 1)(engine);
  };
}

}  // namespace hmacd::internal
