package dev.hmacd.client;

import java.time.Instant;

/// An alias in a list.
///
/// @param aliasName `alias/...`
/// @param aliasArn `arn:<partition>:kms:<region>:<account>:alias/...`
/// @param targetKeyId the id of the key that the alias points at
/// @param creationTime when the alias was created
/// @param lastUpdatedTime when the alias was last pointed at a key
public record AliasListEntry(
    String aliasName,
    String aliasArn,
    String targetKeyId,
    Instant creationTime,
    Instant lastUpdatedTime) {}
