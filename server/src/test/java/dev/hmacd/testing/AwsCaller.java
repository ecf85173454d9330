package dev.hmacd.testing;

import static dev.hmacd.testing.RawHttp2.END_HEADERS;
import static dev.hmacd.testing.RawHttp2.HEADERS;
import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.hmacd.http.Request;
import dev.hmacd.sigv4.SdkSigner;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.URI;
import java.time.Instant;
import java.util.Base64;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// A user with an access key. Signs requests with AWS's SDK, and sends any request of a test.
public final class AwsCaller implements AutoCloseable {
  private static final Pattern KEY_ID = Pattern.compile("\"KeyId\":\"([^\"]+)\"");

  private final LoopbackDaemon daemon;
  private final LoopbackDaemon.AccessKey key;
  private final RawHttp1 connection;

  public AwsCaller(LoopbackDaemon daemon, String user) throws IOException {
    this.daemon = daemon;
    this.key = daemon.accessKey(user);
    this.connection = RawHttp1.to(daemon.awsPort());
  }

  /// The body of a GenerateMac.
  public static String macOf(String keyId) {
    return macOf(keyId, "hello");
  }

  public static String macOf(String keyId, String message) {
    return macOf(keyId, message, "HMAC_SHA_256");
  }

  public static String macOf(String keyId, String message, String algorithm) {
    return "{\"KeyId\":\"%s\",\"Message\":\"%s\",\"MacAlgorithm\":\"%s\"}"
        .formatted(keyId, Base64.getEncoder().encodeToString(message.getBytes(UTF_8)), algorithm);
  }

  public SdkSigner signer(Instant now) {
    return new SdkSigner(key.id(), key.secret(), now);
  }

  public URI endpoint() {
    return URI.create("http://127.0.0.1:" + daemon.awsPort() + "/");
  }

  /// A signed request.
  public Request signed(String operation, String json) {
    return signed(operation, json.getBytes(UTF_8));
  }

  /// As [#signed(String, String)], with a body that need not be text.
  public Request signed(String operation, byte[] body) {
    return signer(Instant.now()).sign(endpoint(), SdkSigner.headers(headers(operation)), body);
  }

  public static Map<String, String> headers(String operation) {
    return Map.of(
        "X-Amz-Target", "TrentService." + operation, "Content-Type", "application/x-amz-json-1.1");
  }

  /// The HTTP/1.1 encoding of a request.
  public static byte[] bytes(Request request) {
    var bytes = new ByteArrayOutputStream();
    String target = request.path() + (request.query().isEmpty() ? "" : "?" + request.query());
    bytes.writeBytes((request.method() + " " + target + " HTTP/1.1\r\n").getBytes(ISO_8859_1));
    request
        .headers()
        .forEach(
            (name, value) -> bytes.writeBytes((name + ": " + value + "\r\n").getBytes(ISO_8859_1)));
    if (!request.headers().has("content-length")) {
      bytes.writeBytes(("content-length: " + request.body().length + "\r\n").getBytes(ISO_8859_1));
    }
    bytes.writeBytes("\r\n".getBytes(ISO_8859_1));
    bytes.writeBytes(request.body());
    return bytes.toByteArray();
  }

  /// The header block of a request in HTTP/2, with additional fields.
  public static byte[] http2Headers(Request request, String... more) {
    var block = new ByteArrayOutputStream();
    block.writeBytes(RawHttp2.headers(":method", request.method(), ":scheme", "http"));
    block.writeBytes(RawHttp2.headers(":path", request.path()));
    block.writeBytes(RawHttp2.headers(":authority", request.headers().only("host").orElseThrow()));
    request
        .headers()
        .forEach(
            (name, value) -> {
              if (!name.equals("host")) {
                block.writeBytes(RawHttp2.headers(name, value));
              }
            });
    block.writeBytes(RawHttp2.headers(more));
    return block.toByteArray();
  }

  /// Writes a request on a stream of HTTP/2.
  public static RawHttp2 send(RawHttp2 caller, int stream, Request request) throws IOException {
    return caller
        .frame(HEADERS, END_HEADERS, stream, http2Headers(request))
        .data(stream, request.body());
  }

  /// Opens an HTTP/2 connection with a valid signature, on stream 1.
  public RawHttp2 authenticatedHttp2(String keyId) throws IOException {
    RawHttp2 caller = RawHttp2.to(daemon.awsPort());
    send(caller, 1, signed("GenerateMac", macOf(keyId)));
    assertThat(caller.end(1)).isEqualTo(new RawHttp2.End.Http("200"));
    return caller;
  }

  public byte[] bytes(String operation, String json) {
    return bytes(signed(operation, json));
  }

  public RawHttp1.Answer call(String operation, String json) throws IOException {
    return call(signed(operation, json));
  }

  public RawHttp1.Answer call(Request request) throws IOException {
    return connection.write(bytes(request)).read();
  }

  /// Makes a key and returns its id.
  public String createKey(String spec) throws IOException {
    String body =
        call("CreateKey", "{\"KeySpec\":\"" + spec + "\",\"KeyUsage\":\"GENERATE_VERIFY_MAC\"}")
            .body();
    Matcher id = KEY_ID.matcher(body);
    if (!id.find()) {
      throw new IllegalStateException(body);
    }
    return id.group(1);
  }

  @Override
  public void close() throws IOException {
    connection.close();
  }
}
