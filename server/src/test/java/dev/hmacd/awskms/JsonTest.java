package dev.hmacd.awskms;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_16BE;
import static java.nio.charset.StandardCharsets.UTF_16LE;
import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.params.provider.Arguments.argumentSet;

import dev.hmacd.testing.AwsCaller;
import dev.hmacd.testing.LogWatch;
import dev.hmacd.testing.LoopbackDaemon;
import dev.hmacd.testing.RawHttp1.Answer;
import dev.hmacd.testing.SoftHsm;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.nio.charset.Charset;
import java.time.Duration;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/// What a body may be: signed by somebody who may do everything, and still no JSON, or JSON that
/// two readers could take for different things.
@Tag("slow")
final class JsonTest {
  private static final LoopbackDaemon daemon =
      LoopbackDaemon.on(SoftHsm.shared()).awsKms().allowingUserAll("admin");
  private static AwsCaller admin;
  private static LogWatch log;
  private static String key = "";

  @BeforeAll
  static void start() throws IOException {
    daemon.start();
    log = LogWatch.start();
    admin = new AwsCaller(daemon, "admin");
    key = admin.createKey("HMAC_256");
  }

  @AfterAll
  static void stop() throws IOException {
    admin.close();
    daemon.close();
    log.close();
    log.assertQuiet();
  }

  private static Answer describe(String body, Charset charset) throws IOException {
    return admin.call(admin.signed("DescribeKey", body.replace("KEY", key).getBytes(charset)));
  }

  /// A body that is right but for a member more, which the operation does not have.
  private static String with(String name, String value) {
    return "{\"KeyId\":\"KEY\",\"" + name + "\":" + value + "}";
  }

  static Stream<Arguments> accepted() {
    return Stream.of(
        argumentSet("nothing more", "{\"KeyId\":\"KEY\"}"),
        argumentSet("blanks", " \t\r\n{ \"KeyId\" : \"KEY\" } \n"),
        argumentSet("escaped name", "{\"Key\\u0049d\":\"KEY\"}"),
        argumentSet("member of a newer AWS", with("X", "{\"a\":[1,2.5,-0,1e9,true,null,\"\"]}")),
        argumentSet("member that is null", with("GrantTokens", "null")),
        argumentSet("31 lists in each other", with("X", "[".repeat(31) + "]".repeat(31))),
        argumentSet("number of 64 digits", with("X", "1".repeat(64))),
        argumentSet("number beyond any", with("X", "1e999999999")),
        argumentSet("name of 1000 characters", with("x".repeat(1000), "1")),
        argumentSet("all of Unicode", with("X", "\"\u00e9\u4e2d\ud83d\ude00\\u0000\"")));
  }

  @ParameterizedTest
  @MethodSource("accepted")
  void bodyThatIsJsonIsRead(String body) throws IOException {
    Answer answer = describe(body, UTF_8);
    assertThat(answer.status()).as(answer.body()).isEqualTo(200);
    assertThat(answer.body()).contains(key);
  }

  static Stream<Arguments> refused() {
    return Stream.of(
        bad("left out", ""),
        bad("one character", "{"),
        bad("blank", "  "),
        bad("list", "[]"),
        bad("null", "null"),
        bad("text", "\"KEY\""),
        bad("number", "12"),
        bad("no end", "{\"KeyId\":\"KEY\""),
        bad("no end of a text", "{\"KeyId\":\"KEY"),
        bad("something after it", "{\"KeyId\":\"KEY\"}x"),
        bad("another after it", "{\"KeyId\":\"KEY\"}{}"),
        bad("comma at the end", "{\"KeyId\":\"KEY\",}"),
        bad("two commas", "{\"KeyId\":\"KEY\",,\"X\":1}"),
        bad("single quotes", "{'KeyId':'KEY'}"),
        bad("name without quotes", "{KeyId:\"KEY\"}"),
        bad("comment", "{/**/\"KeyId\":\"KEY\"}"),
        bad("not a number", with("X", "NaN")),
        bad("infinity", with("X", "-Infinity")),
        bad("number with a plus sign", with("X", "+1")),
        bad("number with a zero first", with("X", "01")),
        bad("number without a digit", with("X", "-")),
        bad("number that ends with its point", with("X", "1.")),
        bad("number in hexadecimal", with("X", "0x10")),
        bad("word that JSON does not have", with("X", "True")),
        bad("line break in a text", with("X", "\"a\nb\"")),
        bad("escape that JSON does not have", with("X", "\"\\x41\"")),
        bad("half an escape", with("X", "\"\\u00\"")),
        bad("form", "KeyId=KEY"),
        bad("XML", "<KeyId>KEY</KeyId>"),
        bad("name twice", "{\"KeyId\":\"KEY\",\"KeyId\":\"KEY\"}"),
        bad("name twice, once with an escape", "{\"KeyId\":\"KEY\",\"\\u004beyId\":\"other\"}"),
        bad("name twice, deep in a member of no operation", with("X", "[{\"a\":1,\"a\":2}]")),
        bad("32 lists in each other", with("X", "[".repeat(32) + "]".repeat(32))),
        bad("100,000 lists in each other", with("X", "[".repeat(100_000))),
        bad("20,000 objects in each other", with("X", "{\"a\":".repeat(20_000))),
        bad("number of 65 digits", with("X", "1".repeat(65))),
        bad("number of 200,000 digits", with("X", "1".repeat(200_000))),
        bad("name of 20,000 characters", with("x".repeat(20_000), "1")),
        bad("number where a text belongs", "{\"KeyId\":12}"),
        bad("list where a text belongs", "{\"KeyId\":[\"KEY\"]}"),
        bad("object where a text belongs", "{\"KeyId\":{}}"),
        bad("text where a list belongs", with("GrantTokens", "\"a\"")),
        bad("null in a list of texts", with("GrantTokens", "[null]")),
        bad("upper half of a character", "{\"KeyId\":\"KEY\\ud83d\"}"),
        bad("lower half of a character", "{\"KeyId\":\"\\ude00KEY\"}"),
        bad("halves of a character in the wrong order", "{\"KeyId\":\"\\ude00\\ud83d\"}"));
  }

  private static Arguments bad(String name, String body) {
    return argumentSet(name, body);
  }

  private static void assertRefused(Answer answer) {
    assertThat(answer.body()).isEqualTo("{\"__type\":\"SerializationException\"}");
    assertThat(answer.status()).isEqualTo(400);
    assertThat(answer.headers()).doesNotContainKey("connection");
  }

  @ParameterizedTest
  @MethodSource("refused")
  void bodyThatIsNotJsonOrHasTwoMeaningsIsRefused(String body) throws IOException {
    assertRefused(describe(body, UTF_8));
  }

  static Stream<Arguments> notUtf8() {
    return Stream.of(
        argumentSet("UTF-16", with("X", "1"), UTF_16LE),
        argumentSet("UTF-16, the other way round", with("X", "1"), UTF_16BE),
        argumentSet("a mark of UTF-8", "\ufeff" + with("X", "1"), UTF_8),
        bytes("a byte that UTF-8 does not have", "\u00ff"),
        bytes("the first byte of two", "\u00c3"),
        bytes("the second byte of two", "\u00a9"),
        bytes("two of three bytes", "\u00e4\u00b8"),
        bytes("a character in more bytes than it needs", "\u00c1\u0081"),
        bytes("a slash in three bytes", "\u00e0\u0080\u00af"),
        bytes("NUL in two bytes", "\u00c0\u0080"),
        bytes("half a character as one of its own", "\u00ed\u00a0\u0080"),
        bytes("two halves as two characters", "\u00ed\u00a0\u00bd\u00ed\u00b8\u0080"),
        bytes("a character beyond Unicode", "\u00f4\u0090\u0080\u0080"));
  }

  /// With bytes of a text of their own, where the operation reads it and where it does not.
  private static Arguments bytes(String name, String bytes) {
    return argumentSet(name, "{\"KeyId\":\"KEY\",\"X\":\"" + bytes + "\"}", ISO_8859_1);
  }

  @ParameterizedTest
  @MethodSource("notUtf8")
  void bodyThatIsNotUtf8IsRefused(String body, Charset charset) throws IOException {
    assertRefused(describe(body, charset));
    assertRefused(describe(body.replace("KEY\",\"X\":\"", ""), charset));
  }

  /// How much of the processor the event loops have had, whatever else the machine does.
  private static Duration onEventLoops() {
    ThreadMXBean threads = ManagementFactory.getThreadMXBean();
    return Duration.ofNanos(
        Thread.getAllStackTraces().keySet().stream()
            .filter(thread -> thread.getName().startsWith("hmacd-io"))
            .mapToLong(thread -> Math.max(0, threads.getThreadCpuTime(thread.threadId())))
            .sum());
  }

  /// A quarter of a megabyte, and all of it wrong.
  @Test
  void answerToVeryManyMistakesIsShortAndComesSoon() throws IOException {
    for (String body :
        new String[] {
          "{\"KeyId\":\"KEY\",\"Tags\":[" + "{},".repeat(80_000) + "{}]}",
          "{\"KeyId\":\"KEY\",\"Tags\":["
              + "{\"TagKey\":\"\",\"TagValue\":\"\"},".repeat(8000)
              + "{}]}"
        }) {
      Duration before = onEventLoops();
      Answer answer = admin.call("TagResource", body.replace("KEY", key));
      assertThat(answer.body())
          .startsWith("{\"__type\":\"ValidationException\",\"message\":\"3")
          .contains("validation errors detected", "tags.1.member.tagKey")
          .hasSizeLessThan(8192);
      assertThat(onEventLoops().minus(before)).isLessThan(Duration.ofSeconds(5));
    }
    Answer answer =
        admin.call(
            "UntagResource",
            "{\"KeyId\":\"%s\",\"TagKeys\":[%s\"\"]}".formatted(key, "\"\",".repeat(80_000)));
    assertThat(answer.body()).contains("32 validation errors detected").hasSizeLessThan(8192);
  }
}
