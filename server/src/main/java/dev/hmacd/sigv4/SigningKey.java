package dev.hmacd.sigv4;

import dev.hmacd.access.Principal;

/// The signing key of a principal for one day (AWS Signature Version 4). It is valid for one day,
/// region and service. The secret cannot be derived from it.
///
/// @param key 32 bytes, secret; the caller must not change them
public record SigningKey(
    Principal principal, @SuppressWarnings("ArrayRecordComponent") byte[] key) {
  @Override
  public String toString() {
    return "SigningKey of " + principal;
  }
}
