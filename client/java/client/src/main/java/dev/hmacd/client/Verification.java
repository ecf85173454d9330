package dev.hmacd.client;

/// The result of a successful verification. A MAC that does not match causes an [HmacdException],
/// so a caller that ignores the result fails closed.
///
/// @param keyArn the key's ARN, even if the request named the key in another way
/// @param macAlgorithm the MAC algorithm
/// @param keyVersion the version of the key, 1 or more
public record Verification(String keyArn, MacAlgorithm macAlgorithm, int keyVersion) {}
