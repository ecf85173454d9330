package dev.hmacd.token;

import java.util.OptionalLong;

/// What a token says of itself (`C_GetTokenInfo`).
///
/// @param maxSessions the most sessions it takes; empty when it has no limit or does not tell
public record TokenInfo(
    String label, String serial, String manufacturer, String model, OptionalLong maxSessions) {}
