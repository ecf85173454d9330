package dev.hmacd.sigv4;

import dev.hmacd.access.Principal;

/// The signing key of a principal (AWS Signature Version 4), valid for one UTC date, one region and
/// one service. The secret of the access key cannot be derived from a signing key.
///
/// @param key the signing key: 32 secret bytes; the caller must not change the array
public record SigningKey(
    Principal principal, @SuppressWarnings("ArrayRecordComponent") byte[] key) {
  @Override
  public String toString() {
    return "SigningKey of " + principal;
  }
}
