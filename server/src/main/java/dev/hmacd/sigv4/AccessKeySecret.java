package dev.hmacd.sigv4;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.Base64;

/// The secret of an access key, derived from a MAC that the HSM computes. [#close] clears the
/// secret. The secret is never a String, because a String cannot be cleared.
public final class AccessKeySecret implements AutoCloseable {
  private static final String MESSAGE = "hmacd access key secret\n";

  /// Number of MAC bytes in the secret. In base64, 30 bytes have 40 characters, the length of a
  /// secret access key of AWS.
  private static final int BYTES = 30;

  private static final int BLOCK = 64;

  private final byte[] text;

  /// @param mac the MAC of [#derivationMessage]; this constructor clears the array
  AccessKeySecret(byte[] mac) {
    byte[] start = Arrays.copyOf(mac, BYTES);
    text = Base64.getEncoder().encode(start);
    Arrays.fill(start, (byte) 0);
    Arrays.fill(mac, (byte) 0);
  }

  /// The message from which the secret of an access key is derived. The MAC of this message under
  /// one of the daemon's own keys gives the secret.
  static byte[] derivationMessage(String accessKeyId) {
    return (MESSAGE + accessKeyId).getBytes(StandardCharsets.UTF_8);
  }

  /// The 40 characters of the secret in ASCII, for the reply to CreateAccessKey.
  ///
  /// @return the array of this object, not a copy: the caller must not change the array, and
  ///   [#close] clears it
  public byte[] text() {
    return text;
  }

  /// Derives the signing key for the requests of one day ("Deriving the signing key", AWS Signature
  /// Version 4).
  ///
  /// @param day UTC date, `yyyymmdd`
  public byte[] signingKey(String day, SigningScope scope) {
    byte[] first = new byte[4 + text.length];
    byte[] prefix = "AWS4".getBytes(StandardCharsets.US_ASCII);
    System.arraycopy(prefix, 0, first, 0, prefix.length);
    System.arraycopy(text, 0, first, prefix.length, text.length);
    byte[] key = hmac(first, day);
    Arrays.fill(first, (byte) 0);
    for (String part : new String[] {scope.region(), scope.service(), SigningScope.TERMINATOR}) {
      byte[] next = hmac(key, part);
      Arrays.fill(key, (byte) 0);
      key = next;
    }
    return key;
  }

  /// Computes HMAC-SHA-256 (RFC 2104). The key objects of javax.crypto.Mac would keep copies of the
  /// key that cannot be cleared.
  ///
  /// @param key at most 64 bytes
  private static byte[] hmac(byte[] key, String message) {
    byte[] block = new byte[BLOCK];
    MessageDigest digest = sha256();
    try {
      pad(block, key, 0x36);
      digest.update(block);
      byte[] inner = digest.digest(message.getBytes(StandardCharsets.UTF_8));
      pad(block, key, 0x5c);
      digest.update(block);
      return digest.digest(inner);
    } finally {
      Arrays.fill(block, (byte) 0);
      digest.reset(); // Clears the state of the digest.
    }
  }

  private static MessageDigest sha256() {
    try {
      return MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e); // Every JDK has SHA-256.
    }
  }

  private static void pad(byte[] block, byte[] key, int with) {
    for (int i = 0; i < block.length; i++) {
      block[i] = (byte) ((i < key.length ? key[i] : 0) ^ with);
    }
  }

  @Override
  public void close() {
    Arrays.fill(text, (byte) 0);
  }
}
