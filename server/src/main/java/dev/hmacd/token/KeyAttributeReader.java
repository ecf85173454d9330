package dev.hmacd.token;

import dev.hmacd.key.KeyAttributes;
import dev.hmacd.key.KeyAttributes.Unfit;
import dev.hmacd.key.KeyObject;
import dev.hmacd.token.TokenSession.Found;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.LongBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/// Reads the attributes of keys in a session (`C_GetAttributeValue`).
final class KeyAttributeReader {
  /// Types of the attributes that the daemon reads of each key.
  private static final List<Long> READ =
      Stream.concat(
              KeyUse.FLAGS.values().stream().sorted(),
              Stream.of(
                  CkConstants.CKA_SENSITIVE,
                  CkConstants.CKA_EXTRACTABLE,
                  CkConstants.CKA_SIGN,
                  CkConstants.CKA_ALWAYS_SENSITIVE,
                  CkConstants.CKA_NEVER_EXTRACTABLE,
                  CkConstants.CKA_LOCAL,
                  CkConstants.CKA_VALUE_LEN,
                  CkConstants.CKA_KEY_TYPE))
          .toList();

  private final Cryptoki module;
  private final long session;

  KeyAttributeReader(Cryptoki module, long session) {
    this.module = module;
    this.session = session;
  }

  /// Label and id of a key.
  KeyObject name(long handle) throws TokenException {
    byte[] label = label(handle);
    byte[] id = module.bytes(session, handle, CkConstants.CKA_ID);
    return new KeyObject(
        label == null ? "" : text(label), id == null ? "" : HexFormat.of().formatHex(id));
  }

  /// The bytes of a key's label. Labels that other programs set need not be UTF-8.
  byte @Nullable [] label(long handle) throws TokenException {
    return module.bytes(session, handle, CkConstants.CKA_LABEL);
  }

  /// Decodes a label, and refuses invalid UTF-8: a search by a label with replacement characters
  /// would not find the object.
  private static String text(byte[] label) throws TokenException {
    try {
      return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(label)).toString();
    } catch (CharacterCodingException e) {
      throw TokenException.unfit(
          new Unfit("CKA_LABEL", "must be UTF-8"), "the label of an object is not UTF-8: " + e);
    }
  }

  /// Reads the attributes of a key.
  ///
  /// @param name label and id of the key, for the result only
  Found read(KeyObject name, long handle) throws TokenException {
    Map<Long, Object> values = module.attributes(session, handle, READ);
    Map<String, Boolean> flags = new HashMap<>();
    KeyUse.FLAGS.forEach(
        (flag, type) -> {
          if (values.get(type) instanceof Boolean value) {
            flags.put(flag, value);
          }
        });
    return new Found(
        name,
        new KeyAttributes(
            flag(values, CkConstants.CKA_SENSITIVE),
            flag(values, CkConstants.CKA_EXTRACTABLE),
            flag(values, CkConstants.CKA_SIGN),
            flag(values, CkConstants.CKA_ALWAYS_SENSITIVE),
            flag(values, CkConstants.CKA_NEVER_EXTRACTABLE),
            flag(values, CkConstants.CKA_LOCAL),
            values.get(CkConstants.CKA_VALUE_LEN) instanceof Long keyBytes
                ? Math.toIntExact(keyBytes)
                : null),
        new KeyUse(flags, values.get(CkConstants.CKA_KEY_TYPE) instanceof Long type ? type : null));
  }

  private static @Nullable Boolean flag(Map<Long, Object> values, long type) {
    return values.get(type) instanceof Boolean value ? value : null;
  }

  /// The mechanisms to which a key is restricted (CKA_ALLOWED_MECHANISMS); empty if the key is not
  /// restricted.
  Set<Long> allowedMechanisms(long handle) throws TokenException {
    byte[] values = module.bytes(session, handle, CkConstants.CKA_ALLOWED_MECHANISMS);
    if (values == null) {
      return Set.of();
    }
    LongBuffer numbers = ByteBuffer.wrap(values).order(ByteOrder.nativeOrder()).asLongBuffer();
    Set<Long> allowed = new HashSet<>();
    while (numbers.hasRemaining()) {
      allowed.add(numbers.get());
    }
    return allowed;
  }
}
