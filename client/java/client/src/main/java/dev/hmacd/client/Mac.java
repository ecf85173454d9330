package dev.hmacd.client;

import com.google.errorprone.annotations.Immutable;
import com.google.protobuf.ByteString;
import java.security.MessageDigest;
import java.util.Objects;

/// The MAC of a message, with its key and algorithm.
///
/// [#equals] compares MACs in constant time. `toString` omits the MAC, so that logs do not contain
/// it. With the MAC, a reader of a log could pass off the message as authentic.
@Immutable
public final class Mac {
  private final ByteString mac;
  private final String keyArn;
  private final MacAlgorithm macAlgorithm;
  private final int keyVersion;

  Mac(ByteString mac, String keyArn, MacAlgorithm macAlgorithm, int keyVersion) {
    this.mac = mac;
    this.keyArn = keyArn;
    this.macAlgorithm = macAlgorithm;
    this.keyVersion = keyVersion;
  }

  /// The MAC, as a new array: 28, 32, 48 or 64 bytes for `HMAC_SHA_224`, `_256`, `_384` or `_512`.
  public byte[] toByteArray() {
    return mac.toByteArray();
  }

  /// The key's ARN, even if the request named the key in another way.
  public String keyArn() {
    return keyArn;
  }

  /// The algorithm that made the MAC.
  public MacAlgorithm macAlgorithm() {
    return macAlgorithm;
  }

  /// The version of the key that made the MAC, 1 or more.
  public int keyVersion() {
    return keyVersion;
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof Mac that
        && MessageDigest.isEqual(toByteArray(), that.toByteArray())
        && keyArn.equals(that.keyArn)
        && macAlgorithm == that.macAlgorithm
        && keyVersion == that.keyVersion;
  }

  @Override
  public int hashCode() {
    return Objects.hash(mac, keyArn, macAlgorithm, keyVersion);
  }

  @Override
  public String toString() {
    return "Mac[keyArn="
        + keyArn
        + ", macAlgorithm="
        + macAlgorithm
        + ", keyVersion="
        + keyVersion
        + "]";
  }
}
