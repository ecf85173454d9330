// A test runner with the output of TAP.
#pragma once

#include <functional>
#include <iostream>
#include <sstream>
#include <stdexcept>
#include <string>

namespace tap {

// A failed assertion.
class Failed : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// Prints and counts the results.
class Tests {
 public:
  // Runs a test. It fails if it throws.
  void run(const std::string &name, const std::function<void()> &test) {
    ++count_;
    std::string problem;
    try {
      test();
    } catch (const std::exception &error) {
      problem = error.what();
      ++failures_;
    }
    std::cout << (problem.empty() ? "ok " : "not ok ") << count_ << " - " << name
              << (problem.empty() ? "" : ": " + problem) << std::endl;
  }

  // Prints the plan. Returns the exit status.
  int finish() const {
    std::cout << "1.." << count_ << std::endl;
    return failures_ == 0 && count_ > 0 ? 0 : 1;
  }

 private:
  int count_ = 0;
  int failures_ = 0;
};

inline void check(bool condition, const std::string &expected) {
  if (!condition) throw Failed("expected " + expected);
}

template <class A, class B>
void equal(const A &seen, const B &expected) {
  if (seen == expected) return;
  std::ostringstream text;
  text << "expected " << expected << ", not " << seen;
  throw Failed(text.str());
}

// Returns the error that the call throws. Another type, also a derived one, or no error is a failure.
template <class Error>
Error thrown(const std::function<void()> &call) {
  try {
    call();
  } catch (const Error &error) {
    if (typeid(error) == typeid(Error)) return error;
    throw Failed(std::string("another type was thrown: ") + error.what());
  } catch (const std::exception &error) {
    throw Failed(std::string("another error was thrown: ") + error.what());
  }
  throw Failed("no error was thrown");
}

}  // namespace tap
