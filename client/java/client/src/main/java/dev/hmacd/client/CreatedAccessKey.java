package dev.hmacd.client;

/// A new access key and its secret. The secret cannot be read again.
///
/// @param accessKey the metadata, without the secret
/// @param secretAccessKey 40 characters; protect it like a password
public record CreatedAccessKey(AccessKeyMetadata accessKey, String secretAccessKey) {
  @Override
  public String toString() {
    return accessKey.toString();
  }
}
