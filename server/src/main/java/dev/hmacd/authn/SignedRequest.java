package dev.hmacd.authn;

import dev.hmacd.http.Request;

/// A request with an AWS Signature Version 4 that is not verified yet.
///
/// @param deadlineNanos deadline of the call and of the derivation of the signing key, a value of
///   [System#nanoTime]
public record SignedRequest(Request request, long deadlineNanos) implements Credentials {}
