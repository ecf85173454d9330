package dev.hmacd.client;

/// A key in a list.
///
/// @param keyId the key's id, a lowercase UUID
/// @param keyArn `arn:<partition>:kms:<region>:<account>:key/<key id>`
public record KeyListEntry(String keyId, String keyArn) {}
