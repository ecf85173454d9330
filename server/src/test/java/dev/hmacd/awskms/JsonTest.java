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

/// Signed bodies of an authorized caller that are not JSON, or that two JSON parsers could read
/// differently, are refused.
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

  /// A valid body with one additional member that the operation does not have.
  private static String with(String name, String value) {
    return "{\"KeyId\":\"KEY\",\"" + name + "\":" + value + "}";
  }

  static Stream<Arguments> accepted() {
    return Stream.of(
        argumentSet("no other member", "{\"KeyId\":\"KEY\"}"),
        argumentSet("whitespace", " \t\r\n{ \"KeyId\" : \"KEY\" } \n"),
        argumentSet("escaped name", "{\"Key\\u0049d\":\"KEY\"}"),
        argumentSet("member of a newer AWS", with("X", "{\"a\":[1,2.5,-0,1e9,true,null,\"\"]}")),
        argumentSet("member that is null", with("GrantTokens", "null")),
        argumentSet("31 nested arrays", with("X", "[".repeat(31) + "]".repeat(31))),
        argumentSet("number of 64 digits", with("X", "1".repeat(64))),
        argumentSet("number with a large exponent", with("X", "1e999999999")),
        argumentSet("name of 1000 characters", with("x".repeat(1000), "1")),
        argumentSet("all of Unicode", with("X", "\"\u00e9\u4e2d\ud83d\ude00\\u0000\"")));
  }

  @ParameterizedTest
  @MethodSource("accepted")
  void validJsonIsRead(String body) throws IOException {
    Answer answer = describe(body, UTF_8);
    assertThat(answer.status()).as(answer.body()).isEqualTo(200);
    assertThat(answer.body()).contains(key);
  }

  static Stream<Arguments> refused() {
    return Stream.of(
        bad("empty body", ""),
        bad("one character", "{"),
        bad("whitespace", "  "),
        bad("array", "[]"),
        bad("null", "null"),
        bad("string", "\"KEY\""),
        bad("number", "12"),
        bad("unterminated object", "{\"KeyId\":\"KEY\""),
        bad("unterminated string", "{\"KeyId\":\"KEY"),
        bad("trailing character", "{\"KeyId\":\"KEY\"}x"),
        bad("trailing object", "{\"KeyId\":\"KEY\"}{}"),
        bad("trailing comma", "{\"KeyId\":\"KEY\",}"),
        bad("two commas", "{\"KeyId\":\"KEY\",,\"X\":1}"),
        bad("single quotes", "{'KeyId':'KEY'}"),
        bad("name without quotes", "{KeyId:\"KEY\"}"),
        bad("comment", "{/**/\"KeyId\":\"KEY\"}"),
        bad("NaN", with("X", "NaN")),
        bad("infinity", with("X", "-Infinity")),
        bad("number with a plus sign", with("X", "+1")),
        bad("number with a leading zero", with("X", "01")),
        bad("number without a digit", with("X", "-")),
        bad("number without a fraction after the point", with("X", "1.")),
        bad("hexadecimal number", with("X", "0x10")),
        bad("literal in upper case", with("X", "True")),
        bad("line break in a string", with("X", "\"a\nb\"")),
        bad("unknown escape", with("X", "\"\\x41\"")),
        bad("truncated escape", with("X", "\"\\u00\"")),
        bad("form", "KeyId=KEY"),
        bad("XML", "<KeyId>KEY</KeyId>"),
        bad("duplicate name", "{\"KeyId\":\"KEY\",\"KeyId\":\"KEY\"}"),
        bad("duplicate name with an escape", "{\"KeyId\":\"KEY\",\"\\u004beyId\":\"other\"}"),
        bad("duplicate name nested in an unknown member", with("X", "[{\"a\":1,\"a\":2}]")),
        bad("32 nested arrays", with("X", "[".repeat(32) + "]".repeat(32))),
        bad("100,000 nested arrays", with("X", "[".repeat(100_000))),
        bad("20,000 nested objects", with("X", "{\"a\":".repeat(20_000))),
        bad("number of 65 digits", with("X", "1".repeat(65))),
        bad("number of 200,000 digits", with("X", "1".repeat(200_000))),
        bad("name of 20,000 characters", with("x".repeat(20_000), "1")),
        bad("number in place of a string", "{\"KeyId\":12}"),
        bad("array in place of a string", "{\"KeyId\":[\"KEY\"]}"),
        bad("object in place of a string", "{\"KeyId\":{}}"),
        bad("string in place of an array", with("GrantTokens", "\"a\"")),
        bad("null in an array of strings", with("GrantTokens", "[null]")),
        bad("lone high surrogate", "{\"KeyId\":\"KEY\\ud83d\"}"),
        bad("lone low surrogate", "{\"KeyId\":\"\\ude00KEY\"}"),
        bad("surrogates in the wrong order", "{\"KeyId\":\"\\ude00\\ud83d\"}"));
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
  void invalidOrAmbiguousJsonIsRefused(String body) throws IOException {
    assertRefused(describe(body, UTF_8));
  }

  static Stream<Arguments> notUtf8() {
    return Stream.of(
        argumentSet("UTF-16, little endian", with("X", "1"), UTF_16LE),
        argumentSet("UTF-16, big endian", with("X", "1"), UTF_16BE),
        argumentSet("byte order mark of UTF-8", "\ufeff" + with("X", "1"), UTF_8),
        bytes("invalid byte 0xFF", "\u00ff"),
        bytes("first byte of two only", "\u00c3"),
        bytes("continuation byte only", "\u00a9"),
        bytes("two bytes of three", "\u00e4\u00b8"),
        bytes("overlong letter in two bytes", "\u00c1\u0081"),
        bytes("overlong slash in three bytes", "\u00e0\u0080\u00af"),
        bytes("overlong NUL in two bytes", "\u00c0\u0080"),
        bytes("encoded high surrogate", "\u00ed\u00a0\u0080"),
        bytes("encoded surrogate pair", "\u00ed\u00a0\u00bd\u00ed\u00b8\u0080"),
        bytes("code point above U+10FFFF", "\u00f4\u0090\u0080\u0080"));
  }

  /// The test puts the bytes into a member that the operation reads, and into an unknown member.
  private static Arguments bytes(String name, String bytes) {
    return argumentSet(name, "{\"KeyId\":\"KEY\",\"X\":\"" + bytes + "\"}", ISO_8859_1);
  }

  @ParameterizedTest
  @MethodSource("notUtf8")
  void bodyThatIsNotUtf8IsRefused(String body, Charset charset) throws IOException {
    assertRefused(describe(body, charset));
    assertRefused(describe(body.replace("KEY\",\"X\":\"", ""), charset));
  }

  /// The CPU time of the event loops, which other processes do not change.
  private static Duration eventLoopCpuTime() {
    ThreadMXBean threads = ManagementFactory.getThreadMXBean();
    return Duration.ofNanos(
        Thread.getAllStackTraces().keySet().stream()
            .filter(thread -> thread.getName().startsWith("hmacd-io"))
            .mapToLong(thread -> Math.max(0, threads.getThreadCpuTime(thread.threadId())))
            .sum());
  }

  /// Bodies of 250 kB in which each element is invalid.
  @Test
  void answerToManyValidationErrorsIsShortAndFast() throws IOException {
    for (String body :
        new String[] {
          "{\"KeyId\":\"KEY\",\"Tags\":[" + "{},".repeat(80_000) + "{}]}",
          "{\"KeyId\":\"KEY\",\"Tags\":["
              + "{\"TagKey\":\"\",\"TagValue\":\"\"},".repeat(8000)
              + "{}]}"
        }) {
      Duration before = eventLoopCpuTime();
      Answer answer = admin.call("TagResource", body.replace("KEY", key));
      assertThat(answer.body())
          .startsWith("{\"__type\":\"ValidationException\",\"message\":\"3")
          .contains("validation errors detected", "tags.1.member.tagKey")
          .hasSizeLessThan(8192);
      assertThat(eventLoopCpuTime().minus(before)).isLessThan(Duration.ofSeconds(5));
    }
    Answer answer =
        admin.call(
            "UntagResource",
            "{\"KeyId\":\"%s\",\"TagKeys\":[%s\"\"]}".formatted(key, "\"\",".repeat(80_000)));
    assertThat(answer.body()).contains("32 validation errors detected").hasSizeLessThan(8192);
  }
}
