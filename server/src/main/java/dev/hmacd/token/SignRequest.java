package dev.hmacd.token;

import dev.hmacd.key.KeyCheckValue;
import dev.hmacd.key.KeyObject;
import dev.hmacd.key.MacAlgorithm;
import org.jspecify.annotations.Nullable;

/// A request for one MAC of the algorithm's full length. All attempts on all tokens share one
/// request object.
///
/// @param check the check value, by which each lane recognises the key before it computes the MAC;
///   null if the lane must not compare a check value
/// @param message the message of the MAC; not copied, so the caller must not change it afterwards
/// @param deadlineNanos a value of [System#nanoTime]; after this time, the request never reaches
///   the token
public record SignRequest(
    KeyObject key,
    @Nullable KeyCheckValue check,
    MacAlgorithm algorithm,
    @SuppressWarnings("ArrayRecordComponent") byte[] message,
    long deadlineNanos) {}
