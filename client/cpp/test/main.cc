// Tests of the library. Prints a line of TAP for each test. Exits with 1 if a test failed.
//
// daemon_tests needs the environment of hmacd dev.

#include "tests.h"

int main() {
  tap::Tests tests;
  process_tests(tests);  // First: gRPC must not run before fork().
  logic_tests(tests);
  call_tests(tests);
  adapter_tests(tests);
  tls_tests(tests);
  daemon_tests(tests);
  return tests.finish();
}
