package dev.hmacd.client;

/// A label on a key, for people and their tools. Tags have no effect on the daemon. A tag must not
/// contain secrets.
///
/// @param key 1 to 128 characters; must not start with `aws:`, in upper or lower case
/// @param value 0 to 256 characters
public record Tag(String key, String value) {}
