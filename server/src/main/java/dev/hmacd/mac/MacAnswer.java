package dev.hmacd.mac;

import dev.hmacd.key.MacAlgorithm;

/// A MAC that was made or found right, and what made it.
///
/// @param keyArn however the request named the key
/// @param mac of the algorithm's full length
public record MacAnswer(
    String keyArn,
    int keyVersion,
    MacAlgorithm algorithm,
    @SuppressWarnings("ArrayRecordComponent") byte[] mac) {}
