package dev.hmacd.usecase;

import dev.hmacd.access.Principal;

/// The caller of a use case, with the deadline of the call.
///
/// @param deadlineNanos in terms of [System#nanoTime]; a later result is discarded
public record Caller(Principal principal, long deadlineNanos) {}
