package dev.hmacd.client;

import java.time.Instant;
import java.util.List;
import java.util.Optional;

/// The metadata of a key.
///
/// @param keyId the key's id, a lowercase UUID
/// @param keyArn `arn:<partition>:kms:<region>:<account>:key/<key id>`
/// @param creationTime when the key was created or adopted, to the millisecond
/// @param description the creator's text, 0 to 8192 characters
/// @param keyState which operations are possible with the key now
/// @param keySpec the kind of key
/// @param macAlgorithms the one algorithm of the spec
/// @param origin who created the key
/// @param currentKeyVersion the version that MACs are made with, 1 or more
/// @param tokenObject the object on the token behind the current version
/// @param deletionTime when the key is destroyed; empty unless it is `PENDING_DELETION`
public record KeyMetadata(
    String keyId,
    String keyArn,
    Instant creationTime,
    String description,
    KeyState keyState,
    KeySpec keySpec,
    List<MacAlgorithm> macAlgorithms,
    KeyOrigin origin,
    int currentKeyVersion,
    TokenObject tokenObject,
    Optional<Instant> deletionTime) {
  public KeyMetadata {
    macAlgorithms = List.copyOf(macAlgorithms);
  }
}
