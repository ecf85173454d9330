package dev.hmacd.sigv4;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.Logger;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.read.ListAppender;
import dev.hmacd.http.Request;
import dev.hmacd.key.DaemonKey;
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

/// The heap, the registry and the logs of a daemon contain no secret of an access key, and no value
/// from which a secret can be derived without the HSM. The garbage collector is off, so the heap
/// keeps every object.
///
/// The heap contains one derived value on purpose: the signing key of each access key for the
/// current day. This signing key is valid for one day, region and service. The secret cannot be
/// derived from it.
@Tag("slow")
final class AccessKeySecretsTest {
  /// Without garbage collection the dump contains every object, also unreachable objects.
  private static final List<String> NO_GARBAGE_COLLECTION =
      List.of(
          "-XX:-UseSerialGC", "-XX:+UnlockExperimentalVMOptions", "-XX:+UseEpsilonGC", "-Xmx1g");

  private static final String USER = "ci";
  private static final int ACCESS_KEYS = 3;
  private static final int REQUESTS = 10;

  /// Shorter than a block of SHA-256: HMAC pads such a key and does not hash it.
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

  /// A token with a known master key of access keys: the test can derive all secrets.
  private SoftHsm hsm() {
    SoftHsm hsm = SoftHsm.create(folder.resolve("softhsm2.conf"));
    hsm.importKey(DaemonKey.label(DaemonKey.Purpose.ACCESS_KEYS), "0123456789abcdef", master);
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

  /// The inner or outer block of a software HMAC, without the padding (RFC 2104, section 2).
  private static byte[] pad(byte[] key, int with) {
    byte[] result = new byte[key.length];
    for (int i = 0; i < key.length; i++) {
      result[i] = (byte) (key[i] ^ with);
    }
    return result;
  }

  /// The days on which the requests of a test may be signed.
  private static List<String> days() {
    long now = Instant.now().getEpochSecond();
    return List.of(
        SignatureTime.format(now).substring(0, 8), SignatureTime.format(now - 600).substring(0, 8));
  }

  /// All values from which a signature, or a signing key of another day, region or service, can be
  /// derived.
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

  /// Sends requests of each access key with valid and invalid signatures.
  private void signWithEach(List<CreateAccessKeyResponse> made, int port) throws IOException {
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

  private void assertContainsNoSecret(HeapDump where, List<CreateAccessKeyResponse> made) {
    forbidden(made).forEach((name, value) -> assertThat(where.formsOf(value)).as(name).isEmpty());
  }

  @Test
  void heapRegistryAndLogContainNoSecretAfterCreationAndVerification() throws IOException {
    SoftHsm hsm = hsm();
    LoopbackDaemon files =
        LoopbackDaemon.on(hsm).awsKms().allowingAll("admin").allowingUserAll(USER).logging("debug");
    List<CreateAccessKeyResponse> made = new ArrayList<>();
    HeapDump heap;
    HeapDump registry;
    HeapDump log;
    try (DaemonProcess daemon = DaemonProcess.start(files, hsm, Map.of(), NO_GARBAGE_COLLECTION)) {
      for (int i = 0; i < ACCESS_KEYS; i++) {
        made.add(make(daemon.as("admin").accessKeys()));
      }
      signWithEach(made, daemon.awsPort());
      registry = HeapDump.ofBytes(registry(files.folder()));
      heap = HeapDump.of(daemon.pid(), folder.resolve("heap.hprof"));
      log = HeapDump.ofBytes(String.join("\n", daemon.output()).getBytes(ISO_8859_1));
    }
    // The search finds values that are present.
    assertThat(heap.formsOf(message)).contains("raw ISO-8859-1", "base64 ISO-8859-1");
    assertThat(heap.formsOf(narrow)).contains("hex ISO-8859-1", "base64 ISO-8859-1");
    assertThat(registry.formsOf(narrow)).contains("hex ISO-8859-1", "base64 ISO-8859-1");
    for (CreateAccessKeyResponse each : made) {
      byte[] id = each.getAccessKey().getAccessKeyId().getBytes(UTF_8);
      assertThat(registry.formsOf(id)).contains("raw ISO-8859-1");
    }
    assertThat(log.formsOf("health status: SERVING".getBytes(UTF_8))).isNotEmpty();
    // Only the signing key of the current day is present.
    for (CreateAccessKeyResponse each : made) {
      var signer =
          new SdkSigner(
              each.getAccessKey().getAccessKeyId(), each.getSecretAccessKey(), Instant.now());
      assertThat(days())
          .as("the heap contains the signing key of the day")
          .anyMatch(day -> heap.formsOf(signer.key(day).key()).contains("raw ISO-8859-1"));
      for (String day : days()) {
        assertThat(registry.formsOf(signer.key(day).key())).isEmpty();
        assertThat(log.formsOf(signer.key(day).key())).isEmpty();
      }
    }

    assertContainsNoSecret(heap, made);
    assertContainsNoSecret(registry, made);
    assertContainsNoSecret(log, made);
  }

  /// Level TRACE logs more than the configuration allows.
  @Test
  void traceLogContainsNoSecret() throws IOException {
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
      signWithEach(made, daemon.awsPort());
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
