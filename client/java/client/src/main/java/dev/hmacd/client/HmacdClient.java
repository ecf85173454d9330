package dev.hmacd.client;

import com.google.errorprone.annotations.CanIgnoreReturnValue;
import com.google.errorprone.annotations.ThreadSafe;
import dev.hmacd.v1.GenerateRandomRequest;
import dev.hmacd.v1.RandomServiceGrpc;
import io.grpc.Status.Code;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.stream.Stream;

/// A client of hmacd. Create one and share it: it keeps its connections, and all of its methods are
/// thread-safe.
///
/// ```java
/// try (var hmacd =
///     HmacdClient.builder().target("hmacd.internal:8443").tls(ca, cert, key).build()) {
///   Mac mac = hmacd.generateMac("alias/orders", message, MacAlgorithm.HMAC_SHA_256);
///   hmacd.verifyMac("alias/orders", message, MacAlgorithm.HMAC_SHA_256, mac.toByteArray());
/// }
/// ```
///
/// - A `keyId` is a key id, key ARN, alias name (`alias/...`) or alias ARN, unless the
///   documentation of the method names fewer forms.
/// - Every call has a deadline. Every failure of a call is an [HmacdException].
/// - Calls that change nothing are retried until the deadline, with back-off, if a daemon is
///   unavailable or busy; and once if a checksum shows that a message or MAC was damaged in
///   transit. Calls that change something are sent at most once.
/// - The client checks only the lengths of messages and MACs. The daemon validates all arguments.
@ThreadSafe
public final class HmacdClient implements AutoCloseable {
  private final Calls calls;
  private final List<String> grantTokens;
  private final MacCalls macCalls;
  private final KeyCalls keyCalls;
  private final AliasCalls aliasCalls;
  private final TagCalls tagCalls;
  private final AccessKeyCalls accessKeyCalls;

  HmacdClient(Calls calls, List<String> grantTokens, int maxMessageBytes) {
    this.calls = calls;
    this.grantTokens = grantTokens;
    this.macCalls = new MacCalls(calls, grantTokens, maxMessageBytes);
    this.keyCalls = new KeyCalls(calls, grantTokens);
    this.aliasCalls = new AliasCalls(calls);
    this.tagCalls = new TagCalls(calls);
    this.accessKeyCalls = new AccessKeyCalls(calls);
  }

  /// A builder for a client.
  public static HmacdClientBuilder builder() {
    return new HmacdClientBuilder();
  }

  /// Returns a client with another deadline. Both clients share the connections; closing one closes
  /// both.
  ///
  /// @param deadlineAfter time limit of a call, including its retries
  /// @throws IllegalArgumentException if the time limit is not positive
  public HmacdClient withDeadlineAfter(Duration deadlineAfter) {
    return new HmacdClient(
        new Calls(calls.connections(), calls.policy(), deadlineAfter, calls.observer()),
        grantTokens,
        macCalls.maxMessageBytes());
  }

  /// Returns a client that sends these grant tokens in every request that has a field for grant
  /// tokens. Both clients share the connections; closing one closes both.
  ///
  /// @param grantTokens at most 10 grant tokens
  public HmacdClient withGrantTokens(List<String> grantTokens) {
    return new HmacdClient(calls, List.copyOf(grantTokens), macCalls.maxMessageBytes());
  }

  /// Computes the MAC of a message.
  ///
  /// @param message 1 byte or more; the daemon's maximum is 65536 bytes by default. For a longer
  ///   message, compute the MAC of its hash
  /// @param algorithm the algorithm of the key's spec
  public Mac generateMac(String keyId, byte[] message, MacAlgorithm algorithm) {
    return macCalls.generate(keyId, message, algorithm);
  }

  /// As [#generateMac], but does not wait. After every error, the future fails with an
  /// [HmacdException]. Cancelling the future cancels the call.
  public CompletableFuture<Mac> generateMacAsync(
      String keyId, byte[] message, MacAlgorithm algorithm) {
    return macCalls.generateAsync(keyId, message, algorithm);
  }

  /// Returns normally if [#generateMac] would succeed; otherwise throws the exception of
  /// [#generateMac].
  public void dryRunGenerateMac(String keyId, byte[] message, MacAlgorithm algorithm) {
    macCalls.dryRunGenerate(keyId, message, algorithm);
  }

  /// Returns normally if `mac` is the MAC of `message`. If the MAC does not match, throws
  /// [InvalidMacException], so that a caller cannot ignore the result. Any other exception gives no
  /// verdict. The full length is compared; a MAC of another length than that of the algorithm does
  /// not match.
  ///
  /// @param message as in [#generateMac]
  /// @param algorithm the algorithm of the key's spec
  /// @param mac 28, 32, 48 or 64 bytes, by the algorithm
  /// @return the key, the algorithm and the key version of the verification
  @CanIgnoreReturnValue
  public Verification verifyMac(String keyId, byte[] message, MacAlgorithm algorithm, byte[] mac) {
    return macCalls.verify(keyId, message, algorithm, mac);
  }

  /// As [#verifyMac], but does not wait. The future fails with an [HmacdException] after every
  /// error, even if the MAC does not match. Cancelling the future cancels the call.
  public CompletableFuture<Verification> verifyMacAsync(
      String keyId, byte[] message, MacAlgorithm algorithm, byte[] mac) {
    return macCalls.verifyAsync(keyId, message, algorithm, mac);
  }

  /// Returns normally if [#verifyMac] would succeed, which requires that the MAC matches; otherwise
  /// throws the exception of [#verifyMac].
  public void dryRunVerifyMac(String keyId, byte[] message, MacAlgorithm algorithm, byte[] mac) {
    macCalls.dryRunVerify(keyId, message, algorithm, mac);
  }

  /// Creates a key in the HSM. Never retried: each call creates another key. After an error that
  /// leaves the outcome open (a deadline, a broken connection), check the outcome with [#listKeys].
  ///
  /// @param description the purpose of the key, 0 to 8192 characters; no secrets
  public KeyMetadata createKey(KeySpec keySpec, String description) {
    return createKey(keySpec, description, List.of());
  }

  /// As [#createKey(KeySpec, String)], with tags.
  ///
  /// @param tags at most 50 tags, with different tag keys
  public KeyMetadata createKey(KeySpec keySpec, String description, List<Tag> tags) {
    return createKey(keySpec, description, tags, Optional.empty());
  }

  /// As [#createKey(KeySpec, String, List)], on a chosen token.
  ///
  /// @param tokenSerial serial number of the token; empty: the first token of the daemon's
  ///   configuration
  public KeyMetadata createKey(
      KeySpec keySpec, String description, List<Tag> tags, Optional<String> tokenSerial) {
    return keyCalls.create(keySpec, description, tags, tokenSerial);
  }

  /// Registers a key that a key ceremony put on the token. For administrators.
  ///
  /// @param objectLabel CKA_LABEL of exactly one secret key, 1 to 256 bytes of UTF-8
  /// @param keySpec the spec, which decides the MAC algorithm; the key may have any length
  /// @param description the purpose of the key, 0 to 8192 characters; no secrets
  public KeyMetadata adoptKeyByLabel(String objectLabel, KeySpec keySpec, String description) {
    return adoptKey(Optional.of(objectLabel), Optional.empty(), keySpec, description, List.of());
  }

  /// Registers a key that a key ceremony put on the token. For administrators.
  ///
  /// @param objectId CKA_ID of exactly one secret key, 1 to 256 bytes
  /// @param keySpec the spec, which decides the MAC algorithm; the key may have any length
  /// @param description the purpose of the key, 0 to 8192 characters; no secrets
  public KeyMetadata adoptKeyById(byte[] objectId, KeySpec keySpec, String description) {
    return adoptKey(Optional.empty(), Optional.of(objectId), keySpec, description, List.of());
  }

  /// Registers a key that a key ceremony put on the token, with tags. Exactly one secret key must
  /// match the given label and id.
  ///
  /// @param objectLabel CKA_LABEL, 1 to 256 bytes of UTF-8; label or id must be present
  /// @param objectId CKA_ID, 1 to 256 bytes
  /// @param keySpec the spec, which decides the MAC algorithm; the key may have any length
  /// @param description the purpose of the key, 0 to 8192 characters; no secrets
  /// @param tags at most 50 tags, with different tag keys
  public KeyMetadata adoptKey(
      Optional<String> objectLabel,
      Optional<byte[]> objectId,
      KeySpec keySpec,
      String description,
      List<Tag> tags) {
    return keyCalls.adopt(objectLabel, objectId, keySpec, description, tags);
  }

  /// Returns the metadata of a key.
  public KeyMetadata describeKey(String keyId) {
    return keyCalls.describe(keyId);
  }

  /// Lists all keys, ordered by key id. The stream requests each page on demand. Each page has its
  /// own deadline.
  public Stream<KeyListEntry> listKeys() {
    return PagedIterator.stream(pageToken -> listKeys(0, pageToken));
  }

  /// Requests one page of keys.
  ///
  /// @param pageSize 1 to 1000, or 0 for the daemon's default
  /// @param pageToken [Page#nextPageToken()] of the previous page; empty for the first page
  public Page<KeyListEntry> listKeys(int pageSize, String pageToken) {
    return keyCalls.list(pageSize, pageToken);
  }

  /// Creates an alias that points at a key. Never retried.
  ///
  /// @param aliasName `alias/` followed by letters, digits, `/`, `_` or `-`; at most 256 characters
  /// @param targetKeyId key id or key ARN
  public void createAlias(String aliasName, String targetKeyId) {
    aliasCalls.create(aliasName, targetKeyId);
  }

  /// Points an existing alias at another key. Never retried.
  ///
  /// @param targetKeyId key id or key ARN
  public void updateAlias(String aliasName, String targetKeyId) {
    aliasCalls.update(aliasName, targetKeyId);
  }

  /// Deletes an alias; the key stays. Never retried.
  public void deleteAlias(String aliasName) {
    aliasCalls.delete(aliasName);
  }

  /// Lists all aliases, ordered by name. The stream requests each page on demand. Each page has its
  /// own deadline.
  public Stream<AliasListEntry> listAliases() {
    return listAliases("");
  }

  /// As [#listAliases()], but lists only the aliases of one key.
  ///
  /// @param keyId key id or key ARN; empty for the aliases of all keys
  public Stream<AliasListEntry> listAliases(String keyId) {
    return PagedIterator.stream(pageToken -> listAliases(keyId, 0, pageToken));
  }

  /// Requests one page of aliases.
  ///
  /// @param keyId key id or key ARN; empty for the aliases of all keys
  /// @param pageSize 1 to 100, or 0 for the daemon's default
  /// @param pageToken [Page#nextPageToken()] of the previous page; empty for the first page
  public Page<AliasListEntry> listAliases(String keyId, int pageSize, String pageToken) {
    return aliasCalls.list(keyId, pageSize, pageToken);
  }

  /// Enables a key, from the next request on.
  ///
  /// @param keyId key id or key ARN
  /// @return the key's metadata after the change
  @CanIgnoreReturnValue
  public KeyMetadata enableKey(String keyId) {
    return keyCalls.enable(keyId);
  }

  /// Disables a key, from the next request on.
  ///
  /// @param keyId key id or key ARN
  /// @return the key's metadata after the change
  @CanIgnoreReturnValue
  public KeyMetadata disableKey(String keyId) {
    return keyCalls.disable(keyId);
  }

  /// Schedules the deletion of a key. The key cannot be used after this call. At the end of the
  /// pending window, the daemon destroys the key in the HSM, and deletes its aliases. The MACs of a
  /// destroyed key can never be verified again. Never retried.
  ///
  /// @param keyId key id or key ARN
  /// @param pendingWindowInDays days until the key is destroyed: 7 to 30, or 0 for 30
  /// @return the key's metadata after the change
  @CanIgnoreReturnValue
  public KeyMetadata scheduleKeyDeletion(String keyId, int pendingWindowInDays) {
    return keyCalls.scheduleDeletion(keyId, pendingWindowInDays);
  }

  /// Cancels the deletion of a key; the key is then disabled. Never retried.
  ///
  /// @param keyId key id or key ARN
  /// @return the key's metadata after the change
  @CanIgnoreReturnValue
  public KeyMetadata cancelKeyDeletion(String keyId) {
    return keyCalls.cancelDeletion(keyId);
  }

  /// Replaces a key's description.
  ///
  /// @param keyId key id or key ARN
  /// @param description the purpose of the key, 0 to 8192 characters; no secrets
  /// @return the key's metadata after the change
  @CanIgnoreReturnValue
  public KeyMetadata updateKeyDescription(String keyId, String description) {
    return keyCalls.updateDescription(keyId, description);
  }

  /// Adds tags to a key. Each tag replaces an existing tag with the same tag key; other tags stay.
  ///
  /// @param keyId key id or key ARN
  /// @param tags 1 to 50 tags, with different tag keys
  public void tagResource(String keyId, List<Tag> tags) {
    tagCalls.add(keyId, tags);
  }

  /// Removes tags from a key; tag keys that the key does not have are ignored.
  ///
  /// @param keyId key id or key ARN
  /// @param tagKeys 1 to 50 tag keys
  public void untagResource(String keyId, List<String> tagKeys) {
    tagCalls.remove(keyId, tagKeys);
  }

  /// Requests one page of a key's tags, in the order of their first addition.
  ///
  /// @param keyId key id or key ARN
  /// @param pageSize 1 to 50, or 0 for the daemon's default
  /// @param pageToken [Page#nextPageToken()] of the previous page; empty for the first page
  public Page<Tag> listResourceTags(String keyId, int pageSize, String pageToken) {
    return tagCalls.list(keyId, pageSize, pageToken);
  }

  /// Generates random bytes in the HSM.
  ///
  /// @param numberOfBytes 1 to 1024
  public byte[] generateRandom(int numberOfBytes) {
    return calls.safe(
        RandomServiceGrpc.getGenerateRandomMethod(),
        GenerateRandomRequest.newBuilder().setNumberOfBytes(numberOfBytes).build(),
        answer -> Wire.random(answer, numberOfBytes));
  }

  /// Returns the health status of the daemon, or of one of its services (`grpc.health.v1`). Never
  /// retried. No rule is necessary.
  ///
  /// @param service full name of a gRPC service, such as `hmacd.v1.MacService`; empty for the whole
  ///   daemon
  public HealthStatus health(String service) {
    return calls.once(HealthService.CHECK, HealthService.request(service), HealthService::status);
  }

  /// Binds a key name and an algorithm, without a call.
  ///
  /// @param algorithm the algorithm of the key's spec
  public HmacdKey key(String keyId, MacAlgorithm algorithm) {
    return new HmacdKey(this, keyId, algorithm, "");
  }

  /// Binds a key name and the algorithm of the key, which a call of DescribeKey gets.
  public HmacdKey openKey(String keyId) {
    KeyMetadata key = describeKey(keyId);
    MacAlgorithm algorithm = key.macAlgorithms().stream().findFirst().orElse(MacAlgorithm.UNKNOWN);
    if (algorithm == MacAlgorithm.UNKNOWN) {
      throw HmacdException.refused(
          ErrorReason.INVALID_ARGUMENT,
          Code.INVALID_ARGUMENT,
          "the key has no algorithm that this version of the client knows");
    }
    return new HmacdKey(this, keyId, algorithm, key.keyArn());
  }

  Duration deadlineAfter() {
    return calls.deadlineAfter();
  }

  int maxMessageBytes() {
    return macCalls.maxMessageBytes();
  }

  /// Checks the way to each target: PEM files, name, connection, TLS, health status. Makes no MAC.
  /// Each step has the deadline of the client. The PEM files are those on disk: if they are bad,
  /// the check fails, although calls still use the last good set.
  ///
  /// @return one line for each target: `ok: <target>, <facts>` or `failed: <target>, <check>:
  ///   <text>` with the first failed check
  public List<String> doctor() {
    return new Doctor(calls.openConnections(), calls.deadlineAfter()).lines();
  }

  /// Creates an access key for a principal of the daemon's AWS KMS API. Never retried: each call
  /// creates another access key.
  ///
  /// @param principal `arn:<partition>:iam::<account>:user/<name>`
  public CreatedAccessKey createAccessKey(String principal) {
    return accessKeyCalls.create(principal);
  }

  /// Requests one page of access keys, ordered by id.
  ///
  /// @param pageSize 1 to 1000, or 0 for the daemon's default
  /// @param pageToken [Page#nextPageToken()] of the previous page; empty for the first page
  public Page<AccessKeyMetadata> listAccessKeys(int pageSize, String pageToken) {
    return accessKeyCalls.list(pageSize, pageToken);
  }

  /// Disables an access key permanently, from the next request on.
  public void disableAccessKey(String accessKeyId) {
    accessKeyCalls.disable(accessKeyId);
  }

  /// Deletes an access key, which cannot be used from the next request on.
  public void deleteAccessKey(String accessKeyId) {
    accessKeyCalls.delete(accessKeyId);
  }

  /// Refuses new calls ([ClosedException]), waits up to 5 s for calls in flight, cancels the
  /// others, and closes the connections.
  @Override
  public void close() {
    calls.connections().close();
  }
}
