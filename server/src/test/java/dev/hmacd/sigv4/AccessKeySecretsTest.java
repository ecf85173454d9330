package dev.hmacd.sigv4;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import dev.hmacd.http.Request;
import dev.hmacd.key.OwnKey;
import dev.hmacd.testing.AwsCaller;
import dev.hmacd.testing.DaemonProcess;
import dev.hmacd.testing.HeapDump;
import dev.hmacd.testing.LoopbackDaemon;
import dev.hmacd.testing.RawHttp1;
import dev.hmacd.testing.SoftHsm;
import dev.hmacd.v1.AccessKeyServiceGrpc.AccessKeyServiceBlockingStub;
import dev.hmacd.v1.CreateAccessKeyRequest;
import dev.hmacd.v1.CreateAccessKeyResponse;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.SecureRandom;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.slf4j.LoggerFactory;

/// Nothing of a daemon that made access keys and served their requests holds a secret, or what one
/// could be made of without the HSM: not its heap, though nothing in it was collected, not its
/// registry, not its logs.
///
/// What its heap does hold, on purpose, is the signing key of each access key for the day: derived,
/// good for that day, this region and this service alone, and no way back to the secret.
@Tag("slow")
final class AccessKeySecretsTest {
  /// Whatever was an object once is in the dump, also what was given up long before.
  private static final List<String> NOTHING_COLLECTED =
      List.of(
          "-XX:-UseSerialGC", "-XX:+UnlockExperimentalVMOptions", "-XX:+UseEpsilonGC", "-Xmx1g");

  private static final String USER = "ci";
  private static final int ACCESS_KEYS = 3;
  private static final int REQUESTS = 10;

  /// Less than a block of SHA-256, so that its pads are the key's own bytes.
  private static final int MASTER_BYTES = 48;

  @TempDir private Path folder;
  private final byte[] master = random();
  private final byte[] message = random();
  private final byte[] narrow = random();

  private static byte[] random() {
    byte[] bytes = new byte[MASTER_BYTES];
    new SecureRandom().nextBytes(bytes);
    return bytes;
  }

  /// A token whose key for access keys is known here: everything is searched for that can be made
  /// with it.
  private SoftHsm hsm() {
    SoftHsm hsm = SoftHsm.create(folder.resolve("softhsm2.conf"));
    hsm.importKey(OwnKey.label(OwnKey.Purpose.ACCESS_KEYS), "0123456789abcdef", master);
    return hsm;
  }

  private static CreateAccessKeyResponse make(AccessKeyServiceBlockingStub service) {
    return service.createAccessKey(
        CreateAccessKeyRequest.newBuilder().setPrincipal(LoopbackDaemon.arn(USER)).build());
  }

  private static byte[] hmac(byte[] key, String text) {
    try {
      Mac mac = Mac.getInstance("HmacSHA256", "SunJCE");
      mac.init(new SecretKeySpec(key, "HmacSHA256"));
      return mac.doFinal(text.getBytes(UTF_8));
    } catch (GeneralSecurityException e) {
      throw new IllegalStateException(e);
    }
  }

  /// The block of an HMAC in software, as far as the key goes (RFC 2104, section 2).
  private static byte[] pad(byte[] key, int with) {
    byte[] result = new byte[key.length];
    for (int i = 0; i < key.length; i++) {
      result[i] = (byte) (key[i] ^ with);
    }
    return result;
  }

  /// The days that a test may see.
  private static List<String> days() {
    long now = Instant.now().getEpochSecond();
    return List.of(
        SignatureTime.format(now).substring(0, 8), SignatureTime.format(now - 600).substring(0, 8));
  }

  /// All that a signature could be made of, or a signing key of another day, region or service.
  private Map<String, byte[]> forbidden(List<CreateAccessKeyResponse> made) {
    Map<String, byte[]> all = new LinkedHashMap<>();
    all.put("the master key", master);
    all.put("the master key's inner pad", pad(master, 0x36));
    all.put("the master key's outer pad", pad(master, 0x5c));
    for (CreateAccessKeyResponse each : made) {
      String id = each.getAccessKey().getAccessKeyId();
      byte[] mac = hmac(master, "hmacd access key secret\n" + id);
      String secret = each.getSecretAccessKey();
      assertThat(Base64.getDecoder().decode(secret)).isEqualTo(Arrays.copyOf(mac, 30));
      byte[] text = ("AWS4" + secret).getBytes(UTF_8);
      all.put("the MAC, whose base64 is the secret of " + id, mac);
      all.put("the secret of " + id, secret.getBytes(UTF_8));
      all.put("its inner pad", pad(text, 0x36));
      all.put("its outer pad", pad(text, 0x5c));
      for (String day : days()) {
        byte[] ofDay = hmac(text, day);
        byte[] ofRegion = hmac(ofDay, SdkSigner.REGION);
        all.put("the key of " + day + " and " + id, ofDay);
        all.put("the key of the region, " + day + " and " + id, ofRegion);
        all.put("the key of the service, " + day + " and " + id, hmac(ofRegion, "kms"));
      }
    }
    return all;
  }

  /// Has requests of each access key verified: good ones and bad ones.
  private void useAll(List<CreateAccessKeyResponse> made, int port) throws IOException {
    URI endpoint = URI.create("http://127.0.0.1:" + port + "/");
    try (RawHttp1 connection = RawHttp1.to(port)) {
      for (CreateAccessKeyResponse each : made) {
        var signer =
            new SdkSigner(
                each.getAccessKey().getAccessKeyId(), each.getSecretAccessKey(), Instant.now());
        String control =
            HexFormat.of().formatHex(narrow) + " " + Base64.getEncoder().encodeToString(narrow);
        String created =
            call(
                connection,
                signer,
                endpoint,
                "CreateKey",
                "{\"KeySpec\":\"HMAC_256\",\"KeyUsage\":\"GENERATE_VERIFY_MAC\",\"Description\":\""
                    + control
                    + "\"}");
        String key = created.replaceFirst("(?s).*\"KeyId\":\"([^\"]+)\".*", "$1");
        String mac =
            "{\"KeyId\":\"%s\",\"Message\":\"%s\",\"MacAlgorithm\":\"HMAC_SHA_256\"}"
                .formatted(key, Base64.getEncoder().encodeToString(message));
        for (int i = 0; i < REQUESTS; i++) {
          assertThat(call(connection, signer, endpoint, "GenerateMac", mac)).contains("\"Mac\":");
        }
        Request changed = signed(signer, endpoint, "GenerateMac", mac.replace("_256", "_512"));
        byte[] body = mac.getBytes(UTF_8);
        Request wrong = new Request("POST", "/", "", changed.headers(), body);
        assertThat(connection.write(AwsCaller.bytes(wrong)).read().body())
            .contains("InvalidSignatureException");
      }
    }
  }

  private static Request signed(SdkSigner signer, URI endpoint, String operation, String json) {
    return signer.sign(
        endpoint, SdkSigner.headers(AwsCaller.headers(operation)), json.getBytes(UTF_8));
  }

  private static String call(
      RawHttp1 connection, SdkSigner signer, URI endpoint, String operation, String json)
      throws IOException {
    RawHttp1.Answer answer =
        connection.write(AwsCaller.bytes(signed(signer, endpoint, operation, json))).read();
    assertThat(answer.status()).as(answer.body()).isEqualTo(200);
    return answer.body();
  }

  private static byte[] registry(Path folder) throws IOException {
    var all = new ByteArrayOutputStream();
    try (var files = Files.list(folder)) {
      for (Path file : files.filter(each -> each.toString().contains("registry.db")).toList()) {
        all.writeBytes(Files.readAllBytes(file));
      }
    }
    return all.toByteArray();
  }

  private void assertNothingIn(HeapDump where, List<CreateAccessKeyResponse> made) {
    forbidden(made).forEach((name, value) -> assertThat(where.formsOf(value)).as(name).isEmpty());
  }

  @Test
  void heapRegistryAndLogOfADaemonThatMadeAndVerifiedHoldNothingToSignWith() throws IOException {
    SoftHsm hsm = hsm();
    LoopbackDaemon files =
        LoopbackDaemon.on(hsm).awsKms().allowingAll("admin").allowingUserAll(USER).logging("debug");
    List<CreateAccessKeyResponse> made = new ArrayList<>();
    HeapDump heap;
    HeapDump registry;
    HeapDump log;
    try (DaemonProcess daemon = DaemonProcess.start(files, hsm, Map.of(), NOTHING_COLLECTED)) {
      for (int i = 0; i < ACCESS_KEYS; i++) {
        made.add(make(daemon.as("admin").accessKeys()));
      }
      useAll(made, daemon.awsPort());
      registry = HeapDump.ofBytes(registry(files.folder()));
      heap = HeapDump.of(daemon.pid(), folder.resolve("heap.hprof"));
      log = HeapDump.ofBytes(String.join("\n", daemon.output()).getBytes(ISO_8859_1));
    }
    // The search finds what is there.
    assertThat(heap.formsOf(message)).contains("raw ISO-8859-1", "base64 ISO-8859-1");
    assertThat(heap.formsOf(narrow)).contains("hex ISO-8859-1", "base64 ISO-8859-1");
    assertThat(registry.formsOf(narrow)).contains("hex ISO-8859-1", "base64 ISO-8859-1");
    for (CreateAccessKeyResponse each : made) {
      byte[] id = each.getAccessKey().getAccessKeyId().getBytes(UTF_8);
      assertThat(registry.formsOf(id)).contains("raw ISO-8859-1");
    }
    assertThat(log.formsOf("The token gives the known answer".getBytes(UTF_8))).isNotEmpty();
    // The one thing that is there to sign with, and for today alone.
    for (CreateAccessKeyResponse each : made) {
      var signer =
          new SdkSigner(
              each.getAccessKey().getAccessKeyId(), each.getSecretAccessKey(), Instant.now());
      assertThat(days())
          .as("a day's signing key is kept")
          .anyMatch(day -> heap.formsOf(signer.key(day).key()).contains("raw ISO-8859-1"));
      for (String day : days()) {
        assertThat(registry.formsOf(signer.key(day).key())).isEmpty();
        assertThat(log.formsOf(signer.key(day).key())).isEmpty();
      }
    }

    assertNothingIn(heap, made);
    assertNothingIn(registry, made);
    assertNothingIn(log, made);
  }

  /// More than the configuration can have it log.
  @Test
  void logWithEverythingInItHoldsNothingToSignWith() throws IOException {
    Logger logger = (Logger) LoggerFactory.getLogger("dev.hmacd");
    Level before = logger.getLevel();
    var events = new ListAppender<ILoggingEvent>();
    events.start();
    logger.addAppender(events);
    logger.setAdditive(false);
    logger.setLevel(Level.TRACE);
    List<CreateAccessKeyResponse> made = new ArrayList<>();
    try (LoopbackDaemon daemon =
        LoopbackDaemon.on(SoftHsm.shared()).awsKms().allowingAll("admin").allowingUserAll(USER)) {
      daemon.start();
      made.add(make(daemon.as("admin").accessKeys()));
      useAll(made, daemon.awsPort());
    } finally {
      logger.setLevel(before);
      logger.setAdditive(true);
      logger.detachAppender(events);
    }
    var log = new StringBuilder();
    events.list.forEach(
        event ->
            log.append(event.getFormattedMessage())
                .append(event.getKeyValuePairs())
                .append(event.getThrowableProxy())
                .append('\n'));
    assertThat(log).contains("Serving AWS KMS").hasSizeGreaterThan(100);
    for (CreateAccessKeyResponse each : made) {
      String secret = each.getSecretAccessKey();
      byte[] raw = Base64.getDecoder().decode(secret);
      assertThat(HeapDump.ofBytes(log.toString().getBytes(ISO_8859_1)).formsOf(raw)).isEmpty();
    }
  }
}
