package dev.hmacd.client;

/// A label on a key, for people and their tools; it decides nothing. No secrets.
///
/// @param key 1 to 128 characters; may not start with `aws:`, in any case
/// @param value 0 to 256 characters
public record Tag(String key, String value) {}
