package dev.hmacd.usecase;

import dev.hmacd.key.Key;
import dev.hmacd.key.KeyAttributes;
import dev.hmacd.key.KeyAttributes.Unfit;
import dev.hmacd.key.KeyCheckValue;
import dev.hmacd.registry.CreatingKey;
import dev.hmacd.registry.KeyLists;
import dev.hmacd.registry.KeyWriter;
import dev.hmacd.registry.Registry;
import dev.hmacd.token.TokenException;
import dev.hmacd.token.TokenRouter;
import dev.hmacd.token.TokenSession;
import dev.hmacd.token.TokenSession.Query;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Recovers keys that a crash or a failure left in state `CREATING`.
///
/// The objects on the token decide whether the key is enabled, removed or left `CREATING`. If the
/// token has the key's object, the key is enabled. If the token has no object of the key, the key
/// is removed from the registry. If several objects match, or the attributes of the object do not
/// permit MACs, the key stays `CREATING`. The recovery never destroys an object that can compute a
/// MAC: after a restore of the registry from a backup, a key in use may be `CREATING`.
///
/// The recovery destroys an object without key bytes (CKA_VALUE), because the object cannot compute
/// a MAC. SoftHSM2 writes the label and the key bytes in two transactions. If the process ends
/// between the two, the object has no key bytes.
public final class KeyRecovery {
  /// Time limit of the recovery of one key. A recovery has no caller, and so no deadline of a call.
  private static final Duration LIMIT = Duration.ofSeconds(30);

  /// Number of times that the token must refuse an object before the object is destroyed.
  private static final int REFUSALS = 2;

  private static final Logger log = LoggerFactory.getLogger(KeyRecovery.class);

  private final KeyWriter writer;
  private final KeyLists lists;
  private final TokenRouter tokens;

  /// Keys to recover after the return of their token, by the serial number of the token.
  private final Map<String, Queue<Key>> postponed = new ConcurrentHashMap<>();

  public KeyRecovery(Registry registry, TokenRouter tokens) {
    this.writer = registry.writer();
    this.lists = registry.lists();
    this.tokens = tokens;
  }

  /// Recovers the keys that an earlier run left `CREATING`. Must be called before the creation of
  /// any key.
  ///
  /// If a key's token is out of service, the recovery runs after the token's return. If a key's
  /// token is not configured, the key stays `CREATING`, because other tokens show nothing about the
  /// key's object.
  public void recoverAll() {
    for (CreatingKey creating : lists.creating().join()) {
      Key key = creating.key();
      if (tokens.has(key.tokenSerial())) {
        postpone(key);
      } else {
        log.atWarn()
            .addKeyValue("key_id", key.id())
            .addKeyValue("object_label", key.object().label())
            .addKeyValue("token_serial", key.tokenSerial())
            .log("Key left in state CREATING: its token is not configured");
      }
    }
    tokens.serials().stream().filter(tokens::isInService).forEach(this::recoverOn);
  }

  /// Recovers the `CREATING` keys of a token that is in service now.
  public void recoverOn(String tokenSerial) {
    Queue<Key> keys = postponed.remove(tokenSerial);
    if (keys != null) {
      keys.forEach(this::recover);
    }
  }

  /// Schedules the recovery of a key for the return of its token, or for the next start.
  private void postpone(Key key) {
    postponed.compute(
        key.tokenSerial(),
        (_, known) -> {
          Queue<Key> keys = known == null ? new ConcurrentLinkedQueue<>() : known;
          keys.add(key);
          return keys;
        });
  }

  /// Recovers a key in state `CREATING`, now or after the return of its token.
  void recover(Key key) {
    CompletableFuture<Remains> search =
        tokens.submit(
            key.tokenSerial(),
            session -> remains(session, key),
            true,
            System.nanoTime() + LIMIT.toNanos());
    var _ =
        search
            .thenCompose(remains -> complete(key, remains))
            .exceptionally(
                failure -> {
                  log.atWarn()
                      .addKeyValue("key_id", key.id())
                      .addKeyValue("object_label", key.object().label())
                      .addKeyValue("token_serial", key.tokenSerial())
                      .setCause(failure)
                      .log("Key left in state CREATING until its token is in service again");
                  postpone(key);
                  return null;
                });
  }

  /// Objects on a token with the label and id of a key in state `CREATING`.
  private record Remains(List<TokenSession.Found> found, @Nullable KeyCheckValue check) {}

  /// Searches for the objects of a key. Destroys an object without key bytes, after the token has
  /// refused it [#REFUSALS] times.
  private static Remains remains(TokenSession session, Key key) throws TokenException {
    List<TokenSession.Found> found = session.find(new Query.ByBoth(key.object()));
    if (found.size() != 1 || found.getFirst().unfit().isPresent()) {
      return new Remains(found, null);
    }
    for (int refusal = 1; refusal <= REFUSALS; refusal++) {
      try {
        return new Remains(found, checkValue(session, key));
      } catch (TokenException e) {
        if (!isWithoutKeyBytes(found.getFirst().attributes(), e)) {
          throw e;
        }
      }
    }
    log.atWarn()
        .addKeyValue("key_id", key.id())
        .addKeyValue("object_label", key.object().label())
        .log("Object of a key in state CREATING destroyed: the object has no key bytes");
    session.destroy(key.object());
    return new Remains(List.of(), null);
  }

  /// Whether a failed MAC shows that an object has no key bytes. A token sets CKA_LOCAL together
  /// with the bytes of a key that the token generates (PKCS #11 v3.1, section 4.9). CKA_VALUE_LEN
  /// is no proof of key bytes: SoftHSM2 sets CKA_VALUE_LEN from the template before it sets
  /// CKA_VALUE.
  ///
  /// The kind of the failure must be `KEY_UNFIT`: then the lane has computed the health check's MAC
  /// in the same session after the refusal. The token's return code alone is no proof of missing
  /// key bytes: some tokens refuse any key with the same code after a logout.
  private static boolean isWithoutKeyBytes(KeyAttributes attributes, TokenException failure) {
    return Boolean.FALSE.equals(attributes.local())
        && failure.kind() == TokenException.Kind.KEY_UNFIT
        && failure.unfit().map(Unfit::attribute).filter("CKA_VALUE_LEN"::equals).isPresent();
  }

  private CompletableFuture<?> complete(Key key, Remains remains) {
    List<TokenSession.Found> found = remains.found();
    if (found.isEmpty()) {
      log.atWarn()
          .addKeyValue("key_id", key.id())
          .addKeyValue("object_label", key.object().label())
          .log(
              "Key in state CREATING removed from the registry: the token has no object of the"
                  + " key");
      return writer.abandon(key.id());
    }
    if (found.size() > 1 || found.getFirst().unfit().isPresent()) {
      log.atError()
          .addKeyValue("key_id", key.id())
          .addKeyValue("object_label", key.object().label())
          .log(
              "Key left in state CREATING: its object does not permit MACs, or several objects"
                  + " match");
      return CompletableFuture.completedFuture(key.id());
    }
    log.atWarn()
        .addKeyValue("key_id", key.id())
        .addKeyValue("object_label", key.object().label())
        .log("Key state changed from CREATING to ENABLED: the token has the object of the key");
    return writer.enable(key.id(), found.getFirst().attributes(), remains.check());
  }

  /// The check value of a new key; null if the token has no mechanism for the key's algorithm.
  static @Nullable KeyCheckValue checkValue(TokenSession session, Key key) throws TokenException {
    try {
      byte[] mac =
          session.signOnce(
              key.object(),
              key.spec().algorithm(),
              KeyCheckValue.message(key.id(), key.currentVersion().number()));
      return KeyCheckValue.of(key.id(), key.currentVersion().number(), key.spec().algorithm(), mac);
    } catch (TokenException e) {
      if (e.kind() == TokenException.Kind.UNSUPPORTED) {
        return null;
      }
      throw e;
    }
  }
}
