package dev.hmacd.key;

import com.google.errorprone.annotations.Immutable;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.HexFormat;
import org.jspecify.annotations.Nullable;

/// Check value of a key version: the MAC of a fixed message under the key. A check value proves
/// that an object on a token is still the same key. Equal labels and ids do not prove that two
/// objects are the same key.
///
/// The message is the text `hmacd check value v1`, one zero byte, the key id (36 ASCII characters)
/// and the version (decimal, ASCII, without leading zeros). The format of the message must never
/// change: the registry keeps each check value for as long as its key. The key id has a fixed
/// length, so each version of each key has its own message. An operator can compute a check value
/// with a shell, without this program.
///
/// For one of the daemon's own keys, the check value is the known answer of the key.
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

  /// The check value of a version of a caller's key.
  public static KeyCheckValue of(
      KeyId key, int version, MacAlgorithm algorithm, byte[] checkValue) {
    return new KeyCheckValue(key.value(), algorithm, message(key, version), checkValue.clone());
  }

  /// The check value of one of the daemon's own keys: its known answer.
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

  /// Whether a message has the reserved prefix of check values. The prefix has a zero byte, so no
  /// text message is reserved.
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

  /// Compares a MAC of the message with the check value, in constant time.
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
    return "check value of " + key; // Without the value: it is a MAC, and MACs are not logged.
  }
}
