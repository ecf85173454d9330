package dev.hmacd.http;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import dev.hmacd.access.Principal;
import dev.hmacd.transport.Connections;
import dev.hmacd.transport.MemoryBudget;
import io.netty.buffer.ByteBuf;
import io.netty.buffer.UnpooledByteBufAllocator;
import io.netty.channel.embedded.EmbeddedChannel;
import io.netty.util.concurrent.Ticker;
import java.io.ByteArrayOutputStream;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.function.BiConsumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.IntStream;

/// Fuzz target: any bytes on an HTTP/1.1 connection.
///
/// The edge reads the same requests as [ReferenceHttp1], for any split of the bytes into pieces.
/// The answers are in order. The edge throws nothing, releases all buffers, and holds bounded
/// memory.
public final class Http1Fuzz {
  private static final Principal CALLER = Principal.uid(1);
  private static final Duration LONG = Duration.ofDays(1);

  /// Small limits: short inputs reach them.
  private static final HttpLimits LIMITS =
      new HttpLimits(1024, 2048, 1 << 20, 1 << 10, 64, 1, 1, LONG, LONG, LONG);

  /// Bound on the memory of an endless head, body or chunk that arrives in pieces of 1 KiB.
  private static final int MAX_MEMORY = 16 * 1024;

  private static final Pattern ANSWER =
      Pattern.compile("HTTP/1\\.1 (\\d{3}) [^\\r\\n]*\\r\\n((?:[^\\r\\n]+\\r\\n)*)\\r\\n");
  private static final Pattern LENGTH = Pattern.compile("(?im)^content-length: (\\d+)");

  private Http1Fuzz() {}

  /// A string form of a request: equal requests have equal strings.
  private static String text(Request request) {
    var text = new StringBuilder(request.method() + ' ' + request.path() + '?' + request.query());
    request.headers().forEach((name, value) -> text.append('\n').append(name + ':' + value));
    return text.append("\n\n").append(new String(request.body(), ISO_8859_1)).toString();
  }

  private record Answer(int status, boolean last, String body) {}

  /// A connection that receives bytes.
  private static final class Connection {
    private final UnpooledByteBufAllocator allocator = new UnpooledByteBufAllocator(false, true);

    /// The clock does not advance, so no timeout depends on the speed of the machine.
    private final EmbeddedChannel channel =
        EmbeddedChannel.builder().ticker(Ticker.newMockTicker()).build();

    private final RequestBounds bounds =
        new RequestBounds(LIMITS.maxRequests(), LIMITS.maxBufferedBytes(), LIMITS.maxBodyBytes());

    Connection(BiConsumer<Request, Exchange> requests) {
      channel.config().setAllocator(allocator);
      var connections =
          new Connections(
              new Connections.Settings(1, 1, 0, Duration.ofSeconds(1)), new MemoryBudget(1 << 30));
      var _ = new EmbeddedChannel(connections).writeInbound(channel); // Creates the meter.
      ProtocolDetector.http1(
          channel.pipeline(),
          new ServerContext(
              LIMITS,
              TestHandler.PROFILE,
              new TestHandler(requests),
              bounds,
              connections,
              new ConnectionWatchdog()));
    }

    void write(byte[] bytes, int from, int to) {
      ByteBuf piece = allocator.buffer(to - from).writeBytes(bytes, from, to - from);
      channel.writeInbound(piece);
      channel.checkException();
    }

    void writeInPieces(byte[] bytes, int size) {
      for (int from = 0; from < bytes.length; from += size) {
        write(bytes, from, Math.min(bytes.length, from + size));
      }
    }

    long memory() {
      return allocator.metric().usedHeapMemory() + allocator.metric().usedDirectMemory();
    }

    List<Answer> answers() {
      var bytes = new ByteArrayOutputStream();
      for (ByteBuf next = channel.readOutbound(); next != null; next = channel.readOutbound()) {
        byte[] part = new byte[next.readableBytes()];
        next.readBytes(part);
        next.release();
        bytes.writeBytes(part);
      }
      String text = bytes.toString(ISO_8859_1);
      Matcher answer = ANSWER.matcher(text);
      List<Answer> answers = new ArrayList<>();
      int at = 0;
      while (at < text.length()) {
        check(answer.find(at) && answer.start() == at, "not an answer: " + text.substring(at));
        int status = Integer.parseInt(answer.group(1));
        Matcher length = LENGTH.matcher(answer.group(2));
        at = answer.end() + (length.find() ? Integer.parseInt(length.group(1)) : 0);
        if (status != 100) {
          answers.add(
              new Answer(
                  status,
                  answer.group(2).contains("connection: close\r\n"),
                  text.substring(answer.end(), at)));
        }
      }
      return answers;
    }

    void end() {
      channel.finishAndReleaseAll();
      channel.checkException();
      check(bounds.requests() == 0, "ended requests are still counted");
      check(bounds.bytes() == 0, "released bytes are still counted");
      check(memory() == 0, "buffers are not released");
    }
  }

  private static void check(boolean holds, String otherwise) {
    if (!holds) {
      throw new AssertionError(otherwise);
    }
  }

  private static Response answer(int number) {
    return new Response(200, Integer.toString(number).getBytes(ISO_8859_1), "id");
  }

  /// Sends bytes of an authenticated caller, and returns the requests that the edge reads.
  ///
  /// @param size of the pieces of the input
  /// @param late whether the answers are sent after all bytes, in reverse order
  private static List<String> read(byte[] stream, int size, boolean late, int expected) {
    List<String> requests = new ArrayList<>();
    List<Runnable> answers = new ArrayList<>();
    List<Integer> released = new ArrayList<>();
    var connection =
        new Connection(
            (request, exchange) -> {
              int number = requests.size();
              requests.add(text(request));
              var _ = exchange.admit(CALLER);
              Runnable answer =
                  () ->
                      exchange.respond(
                          () -> {
                            released.add(number);
                            return answer(number);
                          },
                          0);
              if (late) {
                answers.add(answer);
              } else {
                answer.run();
              }
            });
    connection.writeInPieces(stream, size);
    Collections.reverse(answers);
    answers.forEach(Runnable::run);
    List<Answer> sent = connection.answers();
    for (int i = 0; i < requests.size(); i++) {
      check(sent.get(i).status() == 200, "a request was not answered");
      check(
          sent.get(i).body().equals(Integer.toString(i))
              || (sent.get(i).body().isEmpty() && requests.get(i).startsWith("HEAD ")),
          "answers are out of order");
    }
    check(
        released.equals(IntStream.range(0, requests.size()).boxed().toList()),
        "answers are not released in the order of the requests");
    int refusals = sent.size() - requests.size();
    check(refusals == 0 || refusals == 1, "a refused request was answered more than once");
    check(
        refusals == 0 || (sent.getLast().status() >= 400 && sent.getLast().last()),
        "a refusal left the connection open");
    check(
        requests.size() >= expected || (!sent.isEmpty() && sent.getLast().last()),
        "a request was skipped");
    for (int i = 0; i < sent.size() - 1; i++) {
      check(!sent.get(i).last(), "an answer followed the last answer");
    }
    connection.end();
    return requests;
  }

  /// Repeats the last bytes of the input many times.
  private static void readWithoutEnd(byte[] stream) {
    byte[] end = Arrays.copyOfRange(stream, Math.max(0, stream.length - 8), stream.length);
    byte[] piece = new byte[1024];
    for (int i = 0; i < piece.length; i++) {
      piece[i] = end[i % end.length];
    }
    var connection =
        new Connection(
            (_, exchange) -> {
              var _ = exchange.admit(CALLER);
              exchange.respond(() -> answer(0), 0);
            });
    connection.write(stream, 0, stream.length);
    for (int i = 0; i < 16; i++) {
      connection.write(piece, 0, piece.length);
      var _ = connection.answers();
      check(connection.memory() <= MAX_MEMORY + 4L * stream.length, "the memory exceeds its bound");
      check(connection.bounds.bytes() <= LIMITS.maxBodyBytes(), "a body is too long");
    }
    connection.end();
  }

  /// Sends bytes of an unauthenticated caller: the edge sends at most one answer.
  private static void readUnauthenticated(byte[] stream, int size) {
    List<Exchange> exchanges = new ArrayList<>();
    var connection = new Connection((_, exchange) -> exchanges.add(exchange));
    connection.writeInPieces(stream, size);
    for (int i = 0; i < exchanges.size(); i++) {
      int number = i;
      exchanges.get(i).respond(() -> answer(number), 0);
    }
    List<Answer> sent = connection.answers();
    check(sent.size() <= 1, "an unauthenticated caller got more than one answer");
    check(exchanges.isEmpty() || sent.size() == 1, "an unauthenticated caller got no answer");
    check(
        sent.isEmpty() || sent.getFirst().last(),
        "the connection of an unauthenticated caller stays open");
    connection.end();
  }

  /// The fuzzer calls this method first, so the time to load classes does not count.
  public static void fuzzerInitialize() {
    fuzzerTestOneInput("POST / HTTP/1.1\r\nHost: a\r\n\r\n".getBytes(ISO_8859_1));
  }

  /// The fuzzer calls this method with each input.
  public static void fuzzerTestOneInput(byte[] stream) {
    if (stream.length == 0) {
      return;
    }
    List<String> expected = ReferenceHttp1.read(stream).stream().map(Http1Fuzz::text).toList();
    List<String> whole = read(stream, stream.length, false, expected.size());
    check(
        whole.size() <= expected.size() && whole.equals(expected.subList(0, whole.size())),
        "requests read: " + whole + ", expected: " + expected);
    int size = 1 + (Arrays.hashCode(stream) & 0x1f);
    check(
        read(stream, size, true, expected.size()).equals(whole),
        "different requests in pieces of " + size + " bytes");
    readUnauthenticated(stream, size);
    readWithoutEnd(stream);
  }
}
