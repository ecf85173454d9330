import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.SplittableRandom;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;

/// Measures GenerateMac over 64 connections with one request in flight each: through the AWS edge,
/// through the gRPC edge (Unix socket), with an empty Netty HTTP echo, and with moto_server. Each
/// round measures all servers in turn, so that other processes affect all of them equally.
///
/// Each request has a new message of 64 bytes, and over HTTP a new signature. This process signs,
/// so the report also has its processor time.
///
/// Arguments: ROUNDS SECONDS WARMUP, then NAME PID ADDRESS KEY for each server. ADDRESS is
/// http:PORT or unix:PATH. The access key is in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, its
/// region in AWS_REGION.
final class AwsEdge {
  private static final int CONNECTIONS = 64;
  private static final int MESSAGE_BYTES = 64;
  private static final long NANOS = 1_000_000_000L;

  private static final DateTimeFormatter TIME =
      DateTimeFormatter.ofPattern("yyyyMMdd'T'HHmmss'Z'", Locale.ROOT).withZone(ZoneOffset.UTC);

  /// A measured server.
  record Server(String name, long pid, SocketAddress address, String key) {
    static Server of(String name, String pid, String address, String key) {
      String where = address.substring(address.indexOf(':') + 1);
      return new Server(
          name,
          Long.parseLong(pid),
          address.startsWith("unix:")
              ? UnixDomainSocketAddress.of(where)
              : new InetSocketAddress("127.0.0.1", Integer.parseInt(where)),
          key);
    }

    boolean grpc() {
      return address instanceof UnixDomainSocketAddress;
    }

    SocketChannel connect() throws IOException {
      SocketChannel channel =
          grpc() ? SocketChannel.open(StandardProtocolFamily.UNIX) : SocketChannel.open();
      channel.connect(address);
      channel.configureBlocking(false);
      return channel;
    }

    /// The processor seconds of all threads since the start of the process.
    double cpuSeconds() throws IOException {
      String stat = Files.readString(Path.of("/proc/" + pid + "/stat"));
      String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ");
      return (Long.parseLong(fields[11]) + Long.parseLong(fields[12])) / 100.0;
    }
  }

  /// The result of one round of one server. The latencies are in nanoseconds, sorted.
  record Result(long calls, double seconds, double serverCpu, double ownCpu, long[] latencies) {
    double rate() {
      return calls / seconds;
    }

    double millis(double quantile) {
      return latencies[(int) (quantile * (latencies.length - 1))] / 1e6;
    }
  }

  /// A connection with one request in flight.
  private abstract static class Connection {
    private final Server server;
    protected SocketChannel channel;
    protected final ByteBuffer in = ByteBuffer.allocate(1 << 16);
    private ByteBuffer out = ByteBuffer.allocate(0);
    private long sentNanos;

    Connection(Server server) throws IOException {
      this.server = server;
      this.channel = server.connect();
    }

    abstract byte[] next();

    /// Removes a complete answer from the input buffer.
    ///
    /// @return whether there was a complete answer
    abstract boolean answered() throws IOException;

    /// Whether the server ends the connection after this answer.
    boolean ends() {
      return false;
    }

    void send(Selector selector) throws IOException {
      if (ends()) {
        channel.close();
        channel = server.connect();
        register(selector);
      }
      byte[] request = next();
      sentNanos = System.nanoTime();
      write(request);
    }

    void register(Selector selector) throws IOException {
      channel.register(selector, SelectionKey.OP_READ, this);
    }

    void write(byte[] bytes) throws IOException {
      out = ByteBuffer.wrap(bytes);
      while (out.hasRemaining()) { // The socket's buffer has room for a request.
        channel.write(out);
      }
    }

    /// @return the latency of the answer if it is complete now, otherwise -1
    long read() throws IOException {
      if (channel.read(in) < 0) {
        throw new IOException(server.name() + " closed the connection");
      }
      in.flip();
      boolean complete = answered();
      in.compact();
      return complete ? System.nanoTime() - sentNanos : -1;
    }
  }

  /// HTTP/1.1 and SigV4.
  private static final class Http extends Connection {
    private static final byte[] END_OF_HEAD = "\r\n\r\n".getBytes(ISO_8859_1);

    private final Signer signer;
    private final String host;
    private final String keyId;
    private final SplittableRandom random = new SplittableRandom();
    private boolean ends;

    Http(Server server, Signer signer) throws IOException {
      super(server);
      this.signer = signer;
      this.host = "127.0.0.1:" + ((InetSocketAddress) server.address()).getPort();
      this.keyId = server.key();
    }

    @Override
    byte[] next() {
      byte[] message = new byte[MESSAGE_BYTES];
      random.nextBytes(message);
      String body =
          "{\"KeyId\":\""
              + keyId
              + "\",\"Message\":\""
              + Base64.getEncoder().encodeToString(message)
              + "\",\"MacAlgorithm\":\"HMAC_SHA_256\"}";
      return signer.request(host, body);
    }

    @Override
    boolean answered() throws IOException {
      int end = indexOf(END_OF_HEAD);
      if (end < 0) {
        return false;
      }
      String head = new String(in.array(), in.position(), end - in.position(), ISO_8859_1);
      String lower = head.toLowerCase(Locale.ROOT);
      if (!head.startsWith("200", 9)) {
        throw new IOException(head + new String(in.array(), end, in.limit() - end, UTF_8));
      }
      int at = lower.indexOf("content-length:") + 15;
      int lineEnd = lower.indexOf('\r', at);
      int length =
          Integer.parseInt(lower.substring(at, lineEnd < 0 ? lower.length() : lineEnd).strip());
      int whole = end + END_OF_HEAD.length + length;
      if (in.limit() < whole) {
        return false;
      }
      in.position(whole);
      ends = head.startsWith("HTTP/1.0") || lower.contains("connection: close");
      return true;
    }

    @Override
    boolean ends() {
      return ends;
    }

    private int indexOf(byte[] what) {
      for (int i = in.position(); i <= in.limit() - what.length; i++) {
        if (Arrays.equals(in.array(), i, i + what.length, what, 0, what.length)) {
          return i;
        }
      }
      return -1;
    }
  }

  /// gRPC over HTTP/2, one stream after the other.
  private static final class Grpc extends Connection {
    private static final int DATA = 0;
    private static final int SETTINGS = 4;
    private static final int PING = 6;
    private static final int END_STREAM = 1;
    private static final int ACK = 1;

    private final byte[] headers;
    private final byte[] keyId;
    private final SplittableRandom random = new SplittableRandom();
    private int stream = -1;
    private boolean hasData;

    Grpc(Server server) throws IOException {
      super(server);
      this.keyId = server.key().getBytes(UTF_8);
      var block = new ByteArrayOutputStream();
      block.write(0x83); // :method POST
      block.write(0x86); // :scheme http
      literal(block, 0x04, "/hmacd.v1.MacService/GenerateMac"); // :path
      literal(block, 0x01, "localhost"); // :authority
      block.write(0x0f); // content-type, index 31
      block.write(0x10);
      text(block, "application/grpc");
      block.write(0x00);
      text(block, "te");
      text(block, "trailers");
      this.headers = block.toByteArray();
      var hello = new ByteArrayOutputStream();
      hello.writeBytes("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".getBytes(ISO_8859_1));
      frame(hello, SETTINGS, 0, 0, new byte[0]);
      frame(hello, 8, 0, 0, new byte[] {0x40, 0, 0, 0}); // WINDOW_UPDATE of the connection
      write(hello.toByteArray());
    }

    private static void literal(ByteArrayOutputStream block, int name, String value) {
      block.write(name);
      text(block, value);
    }

    private static void text(ByteArrayOutputStream block, String text) {
      block.write(text.length());
      block.writeBytes(text.getBytes(ISO_8859_1));
    }

    private static void frame(
        ByteArrayOutputStream out, int type, int flags, int stream, byte[] payload) {
      out.writeBytes(
          new byte[] {
            0,
            (byte) (payload.length >> 8),
            (byte) payload.length,
            (byte) type,
            (byte) flags,
            (byte) (stream >> 24),
            (byte) (stream >> 16),
            (byte) (stream >> 8),
            (byte) stream
          });
      out.writeBytes(payload);
    }

    @Override
    byte[] next() {
      stream += 2;
      hasData = false;
      byte[] message = new byte[MESSAGE_BYTES];
      random.nextBytes(message);
      var body = new ByteArrayOutputStream();
      body.write(0x0a); // key_id
      body.write(keyId.length);
      body.writeBytes(keyId);
      body.write(0x12); // message
      body.write(message.length);
      body.writeBytes(message);
      body.write(0x18); // mac_algorithm
      body.write(2);
      var data = new ByteArrayOutputStream();
      data.writeBytes(new byte[] {0, 0, 0, 0, (byte) body.size()});
      data.writeBytes(body.toByteArray());
      var out = new ByteArrayOutputStream();
      frame(out, 1, 4, stream, headers); // HEADERS, END_HEADERS
      frame(out, DATA, END_STREAM, stream, data.toByteArray());
      return out.toByteArray();
    }

    @Override
    boolean answered() throws IOException {
      while (in.remaining() >= 9) {
        int start = in.position();
        int length = in.getShort(start) << 8 & 0xffff00 | in.get(start + 2) & 0xff;
        if (in.remaining() < 9 + length) {
          return false;
        }
        int type = in.get(start + 3);
        int flags = in.get(start + 4);
        int on = in.getInt(start + 5);
        in.position(start + 9 + length);
        if ((type == SETTINGS || type == PING) && (flags & ACK) == 0) {
          byte[] payload =
              type == PING
                  ? Arrays.copyOfRange(in.array(), start + 9, start + 9 + length)
                  : new byte[0];
          var ack = new ByteArrayOutputStream();
          frame(ack, type, ACK, 0, payload);
          write(ack.toByteArray());
        } else if (on == stream && type == DATA && length > 0) {
          hasData = true;
        }
        if (on == stream && type < 2 && (flags & END_STREAM) != 0) {
          if (!hasData) {
            throw new IOException("a call failed"); // An error has only trailers.
          }
          return true;
        }
      }
      return false;
    }
  }

  /// Signs as AWS's clients do, with the signing key of the current day.
  private static final class Signer {
    private static final String HEADERS = "content-type;host;x-amz-date;x-amz-target";
    private static final String CONTENT_TYPE = "application/x-amz-json-1.1";
    private static final String TARGET = "TrentService.GenerateMac";

    private final MessageDigest sha256 = MessageDigest.getInstance("SHA-256");
    private final Mac mac = Mac.getInstance("HmacSHA256");
    private final String accessKeyId = System.getenv("AWS_ACCESS_KEY_ID");
    private final String region = System.getenv("AWS_REGION");
    private long second;
    private String time = "";
    private String scope = "";

    Signer() throws GeneralSecurityException {}

    private void tick() throws GeneralSecurityException {
      long now = System.currentTimeMillis() / 1000;
      if (now == second) {
        return;
      }
      second = now;
      time = TIME.format(Instant.ofEpochSecond(now));
      scope = time.substring(0, 8) + "/" + region + "/kms/aws4_request";
      byte[] key = ("AWS4" + System.getenv("AWS_SECRET_ACCESS_KEY")).getBytes(UTF_8);
      for (String part : scope.split("/")) {
        mac.init(new SecretKeySpec(key, "HmacSHA256"));
        key = mac.doFinal(part.getBytes(UTF_8));
      }
      mac.init(new SecretKeySpec(key, "HmacSHA256"));
    }

    byte[] request(String host, String body) {
      try {
        tick();
      } catch (GeneralSecurityException e) {
        throw new IllegalStateException(e);
      }
      byte[] bodyBytes = body.getBytes(ISO_8859_1);
      String canonical =
          "POST\n/\n\ncontent-type:" + CONTENT_TYPE + "\nhost:" + host + "\nx-amz-date:" + time
              + "\nx-amz-target:" + TARGET + "\n\n" + HEADERS + "\n"
              + HexFormat.of().formatHex(sha256.digest(bodyBytes));
      String toSign =
          "AWS4-HMAC-SHA256\n" + time + "\n" + scope + "\n"
              + HexFormat.of().formatHex(sha256.digest(canonical.getBytes(ISO_8859_1)));
      String signature = HexFormat.of().formatHex(mac.doFinal(toSign.getBytes(ISO_8859_1)));
      return ("POST / HTTP/1.1\r\nHost: " + host + "\r\nContent-Type: " + CONTENT_TYPE
              + "\r\nX-Amz-Date: " + time + "\r\nX-Amz-Target: " + TARGET
              + "\r\nAuthorization: AWS4-HMAC-SHA256 Credential=" + accessKeyId + "/" + scope
              + ", SignedHeaders=" + HEADERS + ", Signature=" + signature
              + "\r\nContent-Length: " + bodyBytes.length + "\r\n\r\n" + body)
          .getBytes(ISO_8859_1);
    }
  }

  private AwsEdge() {}

  /// Makes calls until the end of the time or the maximum number of calls.
  private static Result run(Server server, long seconds, long maxCalls) throws Exception {
    var signer = new Signer();
    List<Connection> connections = new ArrayList<>();
    try (Selector selector = Selector.open()) {
      for (int i = 0; i < CONNECTIONS; i++) {
        Connection connection = server.grpc() ? new Grpc(server) : new Http(server, signer);
        connections.add(connection);
        connection.register(selector);
      }
      long[] latencies = new long[1 << 20];
      int calls = 0;
      double serverCpu = server.cpuSeconds();
      double ownCpu = ownCpu();
      long start = System.nanoTime();
      long end = start + seconds * NANOS;
      for (Connection connection : connections) {
        connection.send(selector);
      }
      while (calls < maxCalls && System.nanoTime() < end) {
        if (selector.select(1000) == 0) {
          continue;
        }
        for (SelectionKey key : selector.selectedKeys()) {
          var connection = (Connection) key.attachment();
          long latency = connection.read();
          if (latency >= 0) {
            latencies[calls++ & latencies.length - 1] = latency;
            connection.send(selector);
          }
        }
        selector.selectedKeys().clear();
      }
      double took = (System.nanoTime() - start) / 1e9;
      long[] sorted = Arrays.copyOf(latencies, Math.min(calls, latencies.length));
      Arrays.sort(sorted);
      return new Result(
          calls, took, server.cpuSeconds() - serverCpu, ownCpu() - ownCpu, sorted);
    } finally {
      for (Connection connection : connections) {
        connection.channel.close();
      }
    }
  }

  private static double ownCpu() {
    var system =
        (com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
    return system.getProcessCpuTime() / 1e9;
  }

  public static void main(String[] args) throws Exception {
    int rounds = Integer.parseInt(args[0]);
    int seconds = Integer.parseInt(args[1]);
    long warmUp = Long.parseLong(args[2]);
    Map<Server, List<Result>> results = new LinkedHashMap<>();
    for (int i = 3; i < args.length; i += 4) {
      results.put(Server.of(args[i], args[i + 1], args[i + 2], args[i + 3]), new ArrayList<>());
    }
    for (Server server : results.keySet()) {
      boolean slow = server.name().equals("moto");
      Result result = run(server, 600, slow ? warmUp / 200 : warmUp);
      System.out.printf("warmed up: %s, %d calls%n", server.name(), result.calls());
    }
    for (int round = 0; round < rounds; round++) {
      for (var each : results.entrySet()) {
        each.getValue().add(run(each.getKey(), seconds, Long.MAX_VALUE));
      }
    }
    System.out.println();
    System.out.println("| server | calls/s | p50 ms | p99 ms | server us/call | client us/call |");
    System.out.println("|---|---|---|---|---|---|");
    results.forEach(
        (server, all) ->
            System.out.printf(
                "| %s | %.0f | %.2f | %.2f | %.1f | %.1f |%n",
                server.name(),
                median(all.stream().map(Result::rate).toList()),
                median(all.stream().map(r -> r.millis(0.5)).toList()),
                median(all.stream().map(r -> r.millis(0.99)).toList()),
                median(all.stream().map(r -> 1e6 * r.serverCpu() / r.calls()).toList()),
                median(all.stream().map(r -> 1e6 * r.ownCpu() / r.calls()).toList())));
    System.out.println();
    List<Result> aws = results.entrySet().iterator().next().getValue();
    results.forEach(
        (server, all) -> {
          if (all == aws) {
            return;
          }
          List<Double> ratios = new ArrayList<>();
          for (int i = 0; i < all.size(); i++) {
            ratios.add(aws.get(i).rate() / all.get(i).rate());
          }
          System.out.printf(
              "aws / %s: %.2f (rounds from %.2f to %.2f)%n",
              server.name(),
              median(ratios),
              ratios.stream().min(Double::compare).orElseThrow(),
              ratios.stream().max(Double::compare).orElseThrow());
        });
  }

  private static double median(List<Double> values) {
    List<Double> sorted = values.stream().sorted().toList();
    return sorted.get(sorted.size() / 2);
  }
}
