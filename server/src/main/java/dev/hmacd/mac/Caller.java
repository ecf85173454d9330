package dev.hmacd.mac;

import dev.hmacd.access.Principal;

/// Who asks, and for how long.
///
/// @param deadlineNanos in [System#nanoTime]'s terms; after it the answer is of no use
public record Caller(Principal principal, long deadlineNanos) {}
