package dev.hmacd.mac;

import dev.hmacd.access.Principal;

/// What a principal's requests of one day are signed with (AWS Signature Version 4): good for that
/// day, this region and this service alone, and no way back to the secret.
///
/// @param key 32 bytes; not to be changed, and not to be told
public record SigningKey(
    Principal principal, @SuppressWarnings("ArrayRecordComponent") byte[] key) {
  @Override
  public String toString() {
    return "SigningKey of " + principal;
  }
}
