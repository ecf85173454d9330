package dev.hmacd.authn;

import dev.hmacd.http.Request;

/// A request with a signature of AWS Signature Version 4, which is not verified yet.
///
/// @param deadlineNanos deadline of the call and of the wait for the signing key, a value of
///   [System#nanoTime]
public record SignedRequest(Request request, long deadlineNanos) implements Credentials {}
