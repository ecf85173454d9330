package dev.hmacd.client.testing;

import com.google.errorprone.annotations.CanIgnoreReturnValue;
import com.google.errorprone.annotations.ThreadSafe;
import dev.hmacd.client.MacAlgorithm;
import java.io.UncheckedIOException;

/// An in-process fake of a daemon, with real HMACs under the keys of a test, and faults on demand.
/// The test uses the real client.
///
/// ```java
/// try (var fake =
///         FakeHmacd.start().key("alias/orders", MacAlgorithm.HMAC_SHA_256, secret);
///     var client = HmacdClient.builder().target(fake.target()).build()) {
///   fake.next(2, Fault.error(ErrorReason.TOKEN_BUSY)); // The client retries the call.
///   client.generateMac("alias/orders", message, MacAlgorithm.HMAC_SHA_256);
/// }
/// ```
///
/// The fake has GenerateMac, VerifyMac and DescribeKey. It listens on a Unix socket in a temporary
/// folder, and has no access control.
@ThreadSafe
public final class FakeHmacd implements AutoCloseable {
  private final FakeKeys keys;
  private final Faults faults;
  private final UnixSocketServer server;

  private FakeHmacd(FakeKeys keys, Faults faults, UnixSocketServer server) {
    this.keys = keys;
    this.faults = faults;
    this.server = server;
  }

  /// Starts a fake without keys.
  ///
  /// @throws UncheckedIOException if the fake cannot listen, for example because the path of the
  ///   temporary folder (`java.io.tmpdir`) is too long for a Unix socket, about 100 bytes
  public static FakeHmacd start() {
    var keys = new FakeKeys();
    var faults = new Faults();
    var server =
        UnixSocketServer.start(
            timer -> new FakeMacService(keys, faults, timer), new FakeKeyService(keys));
    return new FakeHmacd(keys, faults, server);
  }

  /// The target for `HmacdClientBuilder.target`: `unix:` and an absolute path.
  public String target() {
    return server.target();
  }

  /// Adds a key, or replaces the key with this name.
  ///
  /// @param name the name that the code under test gives to the client
  /// @param algorithm not [MacAlgorithm#UNKNOWN]
  /// @param secret the bytes of the key, 1 or more
  /// @throws IllegalArgumentException if the secret is empty, or the algorithm unknown
  @CanIgnoreReturnValue
  public FakeHmacd key(String name, MacAlgorithm algorithm, byte[] secret) {
    keys.put(name, FakeKey.of(name, algorithm, secret));
    return this;
  }

  /// Gives a fault to the next attempts at GenerateMac or VerifyMac that have no fault yet. A retry
  /// of the client is an attempt, too.
  ///
  /// @param attempts 1 or more
  /// @throws IllegalArgumentException if the number of attempts is not positive
  @CanIgnoreReturnValue
  public FakeHmacd next(int attempts, Fault fault) {
    faults.add(attempts, fault);
    return this;
  }

  /// The number of attempts at GenerateMac and VerifyMac that arrived, also of those with a fault.
  public int attempts() {
    return faults.attempts();
  }

  /// Ends all connections and calls, as the end of a daemon's process does. Idempotent.
  @Override
  public void close() {
    server.close();
  }
}
