package dev.hmacd.token;

import dev.hmacd.key.KeyObject;
import dev.hmacd.token.TokenException.Fault;
import dev.hmacd.token.TokenSession.Count;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// Searches for secret keys on the token in a session (`C_FindObjects`). A caller that uses a found
/// handle must search within a scope of [Handles#beginSearch].
final class KeySearch {
  private final Cryptoki module;
  private final long session;
  private final KeyAttributeReader reader;
  private final ObjectLock objectLock;

  KeySearch(Cryptoki module, long session, KeyAttributeReader reader, ObjectLock objectLock) {
    this.module = module;
    this.session = session;
    this.reader = reader;
    this.objectLock = objectLock;
  }

  /// Handles of the token objects with the label and id of a key.
  long[] find(KeyObject key) throws TokenException {
    if (!key.idHex().isEmpty()) {
      return find(key.label(), key.id(), TokenSession.MAX_FOUND);
    }
    // With an empty CKA_ID in the template, some tokens do not find objects without a CKA_ID.
    List<Long> withoutId = new ArrayList<>();
    for (long handle : find(key.label(), null, TokenSession.MAX_FOUND)) {
      if (reader.name(handle).idHex().isEmpty()) {
        withoutId.add(handle);
      }
    }
    return withoutId.stream().mapToLong(Long::longValue).toArray();
  }

  /// Handles of the token's secret keys with a label, an id, or both; of all secret keys if both
  /// are null.
  long[] find(@Nullable String label, byte @Nullable [] id, int limit) throws TokenException {
    try (var _ = objectLock.forSearch()) {
      long[] found = module.find(session, KeyTemplates.search(label, id), limit);
      if (found.length > 0) {
        return found;
      }
      // Without a login, C_FindObjects returns no private objects, and no error.
      if (!module.isLoggedIn(session)) {
        throw TokenException.fault(Fault.LOGIN, "the session was logged out");
      }
      // Another session may have logged in since the first search.
      return module.find(session, KeyTemplates.search(label, id), limit);
    }
  }

  /// Describes the other objects on a token that lacks a key, for the error text.
  String describeOthers(KeyObject missing) throws TokenException {
    if (find(missing.label(), null, TokenSession.MAX_FOUND).length > 0) {
      return "an object with this label has another CKA_ID";
    }
    int others = find(null, null, TokenSession.MAX_FOUND).length;
    return switch (others) {
      case 0 -> "the token has no secret keys";
      case TokenSession.MAX_FOUND ->
          "the token has " + TokenSession.MAX_FOUND + " or more other secret keys";
      default -> "the token has other secret keys: " + others;
    };
  }

  /// Counts the secret keys whose label starts with one of the prefixes ([TokenSession#count]).
  Count count(Set<String> labelPrefixes, int atMost) throws TokenException {
    List<byte[]> prefixes =
        labelPrefixes.stream().map(prefix -> prefix.getBytes(StandardCharsets.UTF_8)).toList();
    int count = 0;
    long[] found = find(null, null, atMost + 1); // One more key shows an incomplete count.
    for (long handle : Arrays.copyOf(found, Math.min(found.length, atMost))) {
      byte[] label = reader.label(handle);
      if (label != null && prefixes.stream().anyMatch(prefix -> startsWith(label, prefix))) {
        count++;
      }
    }
    return new Count(count, found.length <= atMost);
  }

  private static boolean startsWith(byte[] label, byte[] prefix) {
    return label.length >= prefix.length
        && Arrays.equals(label, 0, prefix.length, prefix, 0, prefix.length);
  }
}
