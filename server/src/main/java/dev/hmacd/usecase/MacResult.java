package dev.hmacd.usecase;

import dev.hmacd.key.MacAlgorithm;

/// The result of GenerateMac or VerifyMac: a MAC with its key and algorithm.
///
/// @param keyArn ARN of the key, even if the request named the key by id or alias
/// @param mac the MAC in the algorithm's full length
public record MacResult(
    String keyArn,
    int keyVersion,
    MacAlgorithm algorithm,
    @SuppressWarnings("ArrayRecordComponent") byte[] mac) {}
