package dev.hmacd.client;

import java.time.Duration;
import java.util.function.DoubleSupplier;

/// What the calls of a client share to decide about their attempts.
///
/// @param attemptTimeout limit of an attempt while another target is usable
/// @param random gives random numbers, 0 or more and less than 1
record RetryPolicy(
    TargetPicker picker, RetryBudget budget, Duration attemptTimeout, DoubleSupplier random) {}
