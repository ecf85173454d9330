package dev.hmacd.client.testing;

import static java.nio.charset.StandardCharsets.UTF_8;

import com.google.protobuf.ByteString;
import dev.hmacd.client.MacAlgorithm;
import java.security.GeneralSecurityException;
import java.util.UUID;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/// A key of a test.
///
/// @param id a key id, which depends on the name only
/// @param secret with the JDK's name of the algorithm
record FakeKey(String id, MacAlgorithm algorithm, SecretKeySpec secret) {
  static FakeKey of(String name, MacAlgorithm algorithm, byte[] secret) {
    String hmac =
        switch (algorithm) {
          case HMAC_SHA_224 -> "HmacSHA224";
          case HMAC_SHA_256 -> "HmacSHA256";
          case HMAC_SHA_384 -> "HmacSHA384";
          case HMAC_SHA_512 -> "HmacSHA512";
          case UNKNOWN ->
              throw new IllegalArgumentException("MacAlgorithm.UNKNOWN must not be an argument");
        };
    if (secret.length == 0) {
      throw new IllegalArgumentException("secret must have 1 byte or more");
    }
    return new FakeKey(
        UUID.nameUUIDFromBytes(name.getBytes(UTF_8)).toString(),
        algorithm,
        new SecretKeySpec(secret, hmac));
  }

  String arn() {
    return "arn:aws:kms:us-east-1:000000000000:key/" + id;
  }

  ByteString mac(ByteString message) {
    try {
      Mac mac = Mac.getInstance(secret.getAlgorithm());
      mac.init(secret);
      mac.update(message.asReadOnlyByteBuffer());
      return ByteString.copyFrom(mac.doFinal());
    } catch (GeneralSecurityException e) {
      throw new AssertionError("each JDK has " + secret.getAlgorithm(), e);
    }
  }

  /// Without the secret.
  @Override
  public String toString() {
    return algorithm + " " + id;
  }
}
