package dev.hmacd.client;

import java.time.Instant;

/// The metadata of an access key for the daemon's AWS edge, without its secret.
///
/// @param accessKeyId 20 characters
/// @param principal the principal that signs with it: `arn:<partition>:iam::<account>:user/<name>`
/// @param creationTime when it was created, to the millisecond
/// @param active whether it can be used
public record AccessKeyMetadata(
    String accessKeyId, String principal, Instant creationTime, boolean active) {}
