package dev.hmacd.awskms;

import dev.hmacd.access.Principal;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.util.Arrays;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/// What signatures of one access key are checked with on one day, and whose they are.
///
/// @param key not copied: nobody changes it
public record SigningKey(
    Principal principal, @SuppressWarnings("ArrayRecordComponent") byte[] key) {
  private static final String HMAC = "HmacSHA256";

  /// Derives the key of a day from an access key's secret (AWS Signature Version 4, "Create a
  /// derived signing key").
  ///
  /// @param secret in AWS's text form
  /// @param day yyyymmdd
  public static SigningKey derive(
      Principal principal, String secret, String day, String region, String service) {
    byte[] key = ("AWS4" + secret).getBytes(StandardCharsets.UTF_8);
    for (String part : new String[] {day, region, service, SigV4.TERMINATOR}) {
      byte[] next = hmac(key, part.getBytes(StandardCharsets.UTF_8));
      Arrays.fill(key, (byte) 0);
      key = next;
    }
    return new SigningKey(principal, key);
  }

  /// The MAC of a string to sign.
  byte[] sign(byte[] stringToSign) {
    return hmac(key, stringToSign);
  }

  private static byte[] hmac(byte[] key, byte[] message) {
    try {
      Mac mac = Mac.getInstance(HMAC);
      mac.init(new SecretKeySpec(key, HMAC));
      return mac.doFinal(message);
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException("every JDK has " + HMAC, e);
    }
  }

  @Override
  public String toString() {
    return "SigningKey[" + principal + "]";
  }
}
