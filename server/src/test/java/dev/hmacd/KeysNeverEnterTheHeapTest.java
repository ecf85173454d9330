package dev.hmacd;

import static org.assertj.core.api.Assertions.assertThat;

import dev.hmacd.testing.Caller;
import dev.hmacd.testing.DaemonProcess;
import dev.hmacd.testing.HeapDump;
import dev.hmacd.testing.LoopbackDaemon;
import dev.hmacd.testing.SoftHsm;
import dev.hmacd.v1.AdoptKeyRequest;
import dev.hmacd.v1.KeySpec;
import dev.hmacd.v1.MacAlgorithm;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.SecureRandom;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// The heap of a daemon never contains a key, or the blocks of a software HMAC under the key. The
/// daemon overwrites the PIN after the login.
final class KeysNeverEnterTheHeapTest {
  /// Shorter than a block of SHA-256: HMAC pads such a key and does not hash it.
  private static final int KEY_BYTES = 48;

  /// Without garbage collection the dump contains every object, also unreachable objects.
  private static final List<String> NO_GARBAGE_COLLECTION =
      List.of(
          "-XX:-UseSerialGC", "-XX:+UnlockExperimentalVMOptions", "-XX:+UseEpsilonGC", "-Xmx1g");

  private static final int WARM_UP = 100;
  private static final long LIMIT_SECONDS = 120;
  private static final MacAlgorithm SHA_256 = MacAlgorithm.MAC_ALGORITHM_HMAC_SHA_256;

  @TempDir private Path folder;

  private static byte[] random() {
    byte[] bytes = new byte[KEY_BYTES];
    new SecureRandom().nextBytes(bytes);
    return bytes;
  }

  /// The inner or outer block of a software HMAC, without the padding (RFC 2104, section 2).
  private static byte[] xor(byte[] key, int pad) {
    byte[] result = new byte[key.length];
    for (int i = 0; i < key.length; i++) {
      result[i] = (byte) (key[i] ^ pad);
    }
    return result;
  }

  @Test
  @Tag("slow")
  void heapOfADaemonContainsNoKeyPadOrPin()
      throws GeneralSecurityException, InterruptedException, ExecutionException, TimeoutException {
    byte[] key = random();
    String pin = HexFormat.of().formatHex(random()).substring(0, 24);
    SoftHsm hsm = SoftHsm.create(folder.resolve("softhsm2.conf"), pin);
    hsm.importKey("known", "", key);
    byte[] message = random();
    byte[] narrow = random();
    byte[] wide = random();
    HeapDump heap;
    try (DaemonProcess daemon =
        DaemonProcess.start(
            LoopbackDaemon.on(hsm).allowingAll("admin"), hsm, Map.of(), NO_GARBAGE_COLLECTION)) {
      Caller admin = daemon.as("admin");
      String keyId = adopt(admin, "known", narrowText(narrow));
      hsm.importKey("other", "", random());
      // One character outside of Latin-1 makes the bytes of the String UTF-16.
      var _ = adopt(admin, "other", narrowText(wide) + "\u2192");
      heap = dumpedUnderLoad(daemon, admin, keyId, message, expectedMac(key, message));
    }
    // The search finds present values, in each form that a request can carry.
    assertThat(heap.formsOf(message)).contains("raw ISO-8859-1");
    assertThat(heap.formsOf(narrow)).contains("hex ISO-8859-1", "base64 ISO-8859-1");
    assertThat(heap.formsOf(wide)).contains("hex UTF-16LE", "base64 UTF-16LE");

    assertThat(heap.formsOf(key)).as("the key").isEmpty();
    assertThat(heap.formsOf(xor(key, 0x36))).as("the inner pad's block").isEmpty();
    assertThat(heap.formsOf(xor(key, 0x5c))).as("the outer pad's block").isEmpty();
    assertThat(heap.formsOf(pin.getBytes(StandardCharsets.ISO_8859_1))).as("the PIN").isEmpty();
  }

  private static String narrowText(byte[] control) {
    return HexFormat.of().formatHex(control) + " " + Base64.getEncoder().encodeToString(control);
  }

  private static String adopt(Caller admin, String label, String description) {
    return admin
        .keys()
        .adoptKey(
            AdoptKeyRequest.newBuilder()
                .setObjectLabel(label)
                .setKeySpec(KeySpec.KEY_SPEC_HMAC_256)
                .setDescription(description)
                .build())
        .getKeyMetadata()
        .getKeyId();
  }

  private static byte[] expectedMac(byte[] key, byte[] message) throws GeneralSecurityException {
    Mac mac = Mac.getInstance("HmacSHA256", "SunJCE");
    mac.init(new SecretKeySpec(key, "HmacSHA256"));
    return mac.doFinal(message);
  }

  private HeapDump dumpedUnderLoad(
      DaemonProcess daemon, Caller admin, String keyId, byte[] message, byte[] expected)
      throws InterruptedException, ExecutionException, TimeoutException {
    var warm = new CountDownLatch(WARM_UP);
    var dumped = new AtomicBoolean();
    try (var load = Executors.newSingleThreadExecutor()) {
      Future<?> macs =
          load.submit(
              () -> {
                do {
                  assertThat(admin.generateMac(keyId, message, SHA_256)).isEqualTo(expected);
                  warm.countDown();
                } while (!dumped.get());
              });
      HeapDump heap;
      try {
        assertThat(warm.await(LIMIT_SECONDS, TimeUnit.SECONDS)).as("MACs are computed").isTrue();
        heap = HeapDump.of(daemon.pid(), folder.resolve("heap.hprof"));
      } finally {
        dumped.set(true);
      }
      var _ = macs.get(LIMIT_SECONDS, TimeUnit.SECONDS);
      return heap;
    }
  }
}
