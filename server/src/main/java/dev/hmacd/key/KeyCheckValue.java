package dev.hmacd.key;

import com.google.errorprone.annotations.Immutable;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.HexFormat;
import org.jspecify.annotations.Nullable;

/// Identifies a key by a message and its MAC under the key. A label and an id name an object on a
/// token, but do not prove that the object is still the same key.
///
/// For the key of a caller, the MAC is the *check value* of one of its versions. The message is the
/// text `hmacd check value v1`, one zero byte, the key id (36 ASCII characters) and the version
/// (decimal, ASCII, without leading zeros). It can never change: check values are kept for as long
/// as their keys. The key id has a fixed length, so no two versions of any keys have the same
/// message. A shell can write the message, so an operator can compute a check value without this
/// program.
@Immutable
@SuppressWarnings("Immutable") // The arrays are not changed, and only copies of them are returned.
public final class KeyCheckValue {
  /// Prefix of all messages, including the zero byte.
  private static final byte[] PREFIX = "hmacd check value v1\0".getBytes(StandardCharsets.US_ASCII);

  private final String key;
  private final MacAlgorithm algorithm;
  private final byte[] message;
  private final byte[] mac;

  private KeyCheckValue(String key, MacAlgorithm algorithm, byte[] message, byte[] mac) {
    this.key = key;
    this.algorithm = algorithm;
    this.message = message;
    this.mac = mac;
  }

  /// The check value of a version of a key of callers.
  public static KeyCheckValue of(
      KeyId key, int version, MacAlgorithm algorithm, byte[] checkValue) {
    return new KeyCheckValue(key.value(), algorithm, message(key, version), checkValue.clone());
  }

  /// The known answer of one of the daemon's own keys.
  ///
  /// @param message the message whose MAC is the known answer
  public static KeyCheckValue of(DaemonKey key, MacAlgorithm algorithm, byte[] message) {
    return new KeyCheckValue(key.object().label(), algorithm, message.clone(), key.knownAnswer());
  }

  /// The message whose MAC is the check value of a version of a key.
  public static byte[] message(KeyId key, int version) {
    byte[] rest = (key.value() + version).getBytes(StandardCharsets.US_ASCII);
    byte[] message = Arrays.copyOf(PREFIX, PREFIX.length + rest.length);
    System.arraycopy(rest, 0, message, PREFIX.length, rest.length);
    return message;
  }

  /// Whether a message could be that of a check value. The prefix includes the zero byte, which
  /// text does not contain, so no text is refused.
  public static boolean isReserved(byte[] message) {
    return message.length >= PREFIX.length
        && Arrays.equals(message, 0, PREFIX.length, PREFIX, 0, PREFIX.length);
  }

  /// Name of the key in the log: its id, or the label of one of the daemon's own keys.
  public String key() {
    return key;
  }

  public MacAlgorithm algorithm() {
    return algorithm;
  }

  public byte[] message() {
    return message.clone();
  }

  /// The MAC, in lowercase hex.
  public String macHex() {
    return HexFormat.of().formatHex(mac);
  }

  /// Compares a MAC of the message with the stored one, in constant time.
  public boolean isAnsweredBy(byte[] other) {
    return MessageDigest.isEqual(mac, other);
  }

  @Override
  public boolean equals(@Nullable Object other) {
    return other instanceof KeyCheckValue check
        && key.equals(check.key)
        && algorithm == check.algorithm
        && Arrays.equals(message, check.message)
        && MessageDigest.isEqual(mac, check.mac);
  }

  @Override
  public int hashCode() {
    return Arrays.hashCode(mac);
  }

  @Override
  public String toString() {
    return "check of " + key; // A check value is a MAC, and MACs are not logged.
  }
}
