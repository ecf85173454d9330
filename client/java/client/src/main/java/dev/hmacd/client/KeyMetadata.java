package dev.hmacd.client;

import java.time.Instant;
import java.util.List;
import java.util.Optional;

/// The metadata of a key.
///
/// @param keyId the key's id, a lowercase UUID
/// @param keyArn `arn:<partition>:kms:<region>:<account>:key/<key id>`
/// @param creationTime when the key was created or adopted, to the millisecond
/// @param description the purpose of the key, 0 to 8192 characters
/// @param keyState the state of the key, which decides the possible operations
/// @param keySpec the spec of the key
/// @param macAlgorithms list with one item, the algorithm of the spec
/// @param origin the origin of the key
/// @param currentKeyVersion the version for new MACs, 1 or more
/// @param tokenObject the object on the token behind the current version
/// @param deletionTime when the key is destroyed; empty unless the key is `PENDING_DELETION`
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
