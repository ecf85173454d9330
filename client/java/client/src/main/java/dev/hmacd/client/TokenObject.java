package dev.hmacd.client;

import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;

/// A PKCS#11 object and the attributes that describe its protection (PKCS #11 v3.1, sections 4.9
/// and 4.11). The daemon reads the attributes when the key is created or adopted. An attribute is
/// empty if the token does not report it. All attributes are empty while the key is being created.
///
/// @param tokenSerial serial number of the token on which the key was created or adopted
/// @param label CKA_LABEL
/// @param idHex CKA_ID in lowercase hexadecimal digits
/// @param sensitive CKA_SENSITIVE: the value cannot be read in the clear
/// @param extractable CKA_EXTRACTABLE: the key can leave the token wrapped
/// @param alwaysSensitive CKA_ALWAYS_SENSITIVE; false for imported keys
/// @param neverExtractable CKA_NEVER_EXTRACTABLE; false for imported keys
/// @param local CKA_LOCAL: the key was made on the token
/// @param keyBytes CKA_VALUE_LEN: the length of the key in bytes
/// @param otherTokenSerials serial numbers of the daemon's other tokens that are known to hold the
///   same key
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
