package dev.hmacd.client;

import java.time.Instant;

/// The metadata of an access key for the daemon's AWS KMS API, without the secret.
///
/// @param accessKeyId id of the access key, 20 characters
/// @param principal the principal that signs with the access key:
///   `arn:<partition>:iam::<account>:user/<name>`
/// @param creationTime when the access key was created, to the millisecond
/// @param active whether the access key can be used
public record AccessKeyMetadata(
    String accessKeyId, String principal, Instant creationTime, boolean active) {}
