package dev.hmacd.client;

import java.time.Instant;

/// An access key for the daemon's AWS edge: everything about it but its secret.
///
/// @param accessKeyId 20 characters
/// @param principal who signs with it: `arn:<partition>:iam::<account>:user/<name>`
/// @param creationTime when it was made, to the millisecond
/// @param active whether it can be used
public record AccessKeyMetadata(
    String accessKeyId, String principal, Instant creationTime, boolean active) {}
