// The groups of tests.
#pragma once

#include "tap.h"

void logic_tests(tap::Tests &tests);
void adapter_tests(tap::Tests &tests);
void call_tests(tap::Tests &tests);
void tls_tests(tap::Tests &tests);
void process_tests(tap::Tests &tests);
void daemon_tests(tap::Tests &tests);
