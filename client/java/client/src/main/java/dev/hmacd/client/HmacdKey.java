package dev.hmacd.client;

import com.google.errorprone.annotations.CanIgnoreReturnValue;
import com.google.errorprone.annotations.ThreadSafe;

/// A key with its algorithm, bound to a client ([HmacdClient#key], [HmacdClient#openKey]).
/// Deadline, retries and errors are those of the client.
@ThreadSafe
public final class HmacdKey {
  private final HmacdClient client;
  private final String name;
  private final MacAlgorithm algorithm;

  /// Empty until the first answer.
  private volatile String arn;

  HmacdKey(HmacdClient client, String name, MacAlgorithm algorithm, String arn) {
    this.client = client;
    this.name = name;
    this.algorithm = algorithm;
    this.arn = arn;
  }

  /// Computes the MAC of a message, as [HmacdClient#generateMac].
  ///
  /// @param message 1 byte to [HmacdClientBuilder#maxMessageBytes]
  public Mac generate(byte[] message) {
    Mac mac = client.generateMac(name, message, algorithm);
    arn = mac.keyArn();
    return mac;
  }

  /// Returns normally only if `mac` is the MAC of `message`, as [HmacdClient#verifyMac].
  ///
  /// @param message 1 byte to [HmacdClientBuilder#maxMessageBytes]
  @CanIgnoreReturnValue
  public Verification verify(byte[] message, byte[] mac) {
    Verification verification = client.verifyMac(name, message, algorithm, mac);
    arn = verification.keyArn();
    return verification;
  }

  /// The algorithm of the key.
  public MacAlgorithm algorithm() {
    return algorithm;
  }

  /// The key's ARN: that of the last answer. If there was none, calls DescribeKey.
  public String arn() {
    if (arn.isEmpty()) {
      arn = client.describeKey(name).keyArn();
    }
    return arn;
  }
}
