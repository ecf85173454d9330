package dev.hmacd.client;

/// An access key that was made, and its secret, which is not to be had again.
///
/// @param accessKey all about it but the secret
/// @param secretAccessKey 40 characters; keep it as you keep a password
public record CreatedAccessKey(AccessKeyMetadata accessKey, String secretAccessKey) {
  @Override
  public String toString() {
    return accessKey.toString();
  }
}
