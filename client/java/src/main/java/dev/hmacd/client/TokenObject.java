package dev.hmacd.client;

import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/// A PKCS#11 object and the attributes that say how well it is kept (PKCS #11 v3.1, sections 4.9
/// and 4.11), as they were when the key was created or adopted. Empty is what the token does not
/// tell, and all of them while the key is being made.
///
/// @param tokenSerial the serial number of the token that it was made or adopted on
/// @param label CKA_LABEL
/// @param idHex CKA_ID in lowercase hexadecimal digits
/// @param sensitive CKA_SENSITIVE: the value cannot be read in the clear
/// @param extractable CKA_EXTRACTABLE: the key can leave the token wrapped
/// @param alwaysSensitive CKA_ALWAYS_SENSITIVE; false on anything imported
/// @param neverExtractable CKA_NEVER_EXTRACTABLE; false on anything imported
/// @param local CKA_LOCAL: the key was made on the token
/// @param keyBytes CKA_VALUE_LEN: the length of the key in bytes
/// @param otherTokenSerials the daemon's other tokens that are known to hold the same key
public record TokenObject(
    String tokenSerial,
    String label,
    String idHex,
    Optional<Boolean> sensitive,
    Optional<Boolean> extractable,
    Optional<Boolean> alwaysSensitive,
    Optional<Boolean> neverExtractable,
    Optional<Boolean> local,
    OptionalInt keyBytes,
    List<String> otherTokenSerials) {

  public TokenObject {
    otherTokenSerials = List.copyOf(otherTokenSerials);
  }
}
