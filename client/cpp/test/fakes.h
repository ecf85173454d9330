// Clients and waits of the tests.
#pragma once

#include <unistd.h>

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "hmacd/fake.h"
#include "hmacd/hmacd.h"
#include "tap.h"
#include "vectors.h"

inline const std::string key_name = "alias/orders";

// A timeout that only a failed test reaches, also on a busy machine.
inline constexpr std::chrono::seconds long_time{60};

// Adds the key of the vectors.
inline void add_vector_key(hmacd::Fake &fake, hmacd::Algorithm algorithm = hmacd::Algorithm::hmac_sha_256) {
  fake.add_key(key_name, algorithm, vector_key());
}

inline hmacd::Settings settings_for(std::vector<std::string> targets) {
  hmacd::Settings settings;
  settings.targets = std::move(targets);
  settings.timeout = long_time;
  settings.attempt_timeout = long_time;
  return settings;
}

inline hmacd::FakeFault fault(hmacd::FakeFault::Kind kind) {
  hmacd::FakeFault fault;
  fault.kind = kind;
  return fault;
}

inline hmacd::FakeFault reason_fault(const std::string &reason) {
  hmacd::FakeFault fault;
  fault.kind = hmacd::FakeFault::Kind::reason;
  fault.reason = reason;
  return fault;
}

// Waits until the condition is true.
inline void eventually(const std::string &expected, const std::function<bool()> &condition) {
  const auto end = std::chrono::steady_clock::now() + long_time;
  while (!condition()) {
    tap::check(std::chrono::steady_clock::now() < end, expected);
    usleep(20'000);
  }
}

inline hmacd::CallOptions within(std::chrono::milliseconds time) {
  hmacd::CallOptions options;
  options.deadline = std::chrono::steady_clock::now() + time;
  return options;
}
