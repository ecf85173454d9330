package dev.hmacd.client;

/// What a MAC was verified with. It exists only for a MAC that is right: one that does not match is
/// an [HmacdException], so that a caller who does not look at the result fails closed.
///
/// @param keyArn the key's ARN, however the request named the key
/// @param macAlgorithm the algorithm
/// @param keyVersion the version of the key, 1 or more
public record Verification(String keyArn, MacAlgorithm macAlgorithm, int keyVersion) {}
