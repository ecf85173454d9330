package dev.hmacd.client;

import com.google.errorprone.annotations.CanIgnoreReturnValue;
import com.google.errorprone.annotations.ThreadSafe;
import java.time.Duration;
import java.util.concurrent.atomic.AtomicReference;

/// A key with its algorithm, bound to a client ([HmacdClient#key], [HmacdClient#openKey]).
/// Deadline, retries and errors are those of the client.
@ThreadSafe
public final class HmacdKey {
  private final HmacdClient client;
  private final String name;
  private final MacAlgorithm algorithm;

  /// Empty until the first answer.
  private final AtomicReference<String> arn;

  HmacdKey(HmacdClient client, String name, MacAlgorithm algorithm, String arn) {
    this(client, name, algorithm, new AtomicReference<>(arn));
  }

  private HmacdKey(
      HmacdClient client, String name, MacAlgorithm algorithm, AtomicReference<String> arn) {
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
    arn.set(mac.keyArn());
    return mac;
  }

  /// Returns normally only if `mac` is the MAC of `message`, as [HmacdClient#verifyMac].
  ///
  /// @param message 1 byte to [HmacdClientBuilder#maxMessageBytes]
  @CanIgnoreReturnValue
  public Verification verify(byte[] message, byte[] mac) {
    Verification verification = client.verifyMac(name, message, algorithm, mac);
    arn.set(verification.keyArn());
    return verification;
  }

  /// The algorithm of the key.
  public MacAlgorithm algorithm() {
    return algorithm;
  }

  /// The length of the longest message that the client sends, in bytes.
  public int maxMessageBytes() {
    return client.maxMessageBytes();
  }

  /// The time limit of a call, including its retries.
  public Duration deadlineAfter() {
    return client.deadlineAfter();
  }

  /// Returns the same key with another time limit.
  ///
  /// @param deadlineAfter time limit of a call, including its retries
  /// @throws IllegalArgumentException if the time limit is not positive
  public HmacdKey withDeadlineAfter(Duration deadlineAfter) {
    return new HmacdKey(client.withDeadlineAfter(deadlineAfter), name, algorithm, arn);
  }

  /// The key's ARN: that of the last answer. If there was none, calls DescribeKey.
  public String arn() {
    if (arn.get().isEmpty()) {
      arn.set(client.describeKey(name).keyArn());
    }
    return arn.get();
  }
}
