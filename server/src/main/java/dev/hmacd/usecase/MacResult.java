package dev.hmacd.usecase;

import dev.hmacd.key.MacAlgorithm;

/// A computed or verified MAC, with its key and algorithm.
///
/// @param keyArn ARN of the key, for each form of the name in the request
/// @param mac the MAC in the algorithm's full length
public record MacResult(
    String keyArn,
    int keyVersion,
    MacAlgorithm algorithm,
    @SuppressWarnings("ArrayRecordComponent") byte[] mac) {}
