package dev.hmacd.log;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.classic.spi.LoggingEvent;
import ch.qos.logback.classic.spi.ThrowableProxy;
import ch.qos.logback.core.encoder.Encoder;
import dev.hmacd.testing.JsonTree;
import java.math.BigDecimal;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.MatchResult;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.slf4j.event.KeyValuePair;

/// Both formats of the log: one event is one line, and no value forges a line or a field.
final class LogFormatTest {
  private static final String TIME = "2026-03-01T12:00:00.007Z";
  private static final String MESSAGE = "Key loaded";

  /// Values that end a line, end a field, or control a terminal, if they are not escaped.
  private static final List<String> HOSTILE =
      List.of(
          "a\nb",
          "a\rb",
          "\r\n" + TIME + " ERROR Daemon - forged",
          "\" level=\"ERROR\"",
          "\",\"level\":\"ERROR\",\"x\":\"",
          "\"}\n{\"level\":\"ERROR\"}",
          "\\",
          "\\\"",
          "a\\nb",
          "\t",
          "\0",
          "\u001b[2K\u001b[31mred",
          "\u009b31mred",
          "a\u007fb",
          "a\u0085b",
          "a\u2028b",
          "a\u2029b",
          "\u202egnp.exe",
          "a\u200bb",
          "\ud800",
          "\udc00x");

  private static final String QUOTED = "\"([^\"\\\\]*+(?:\\\\.[^\"\\\\]*+)*+)\"";
  private static final String NAME = " ([^\\s=\"]+)=";
  private static final Pattern FIELD = Pattern.compile(NAME + QUOTED);
  private static final Pattern LINE =
      Pattern.compile("(\\S+) (\\S+) +(\\S+) - (.*?)((?:" + NAME + QUOTED + ")*)");

  enum Format {
    JSON {
      @Override
      Encoder<ILoggingEvent> encoder() {
        return new JsonLogEncoder();
      }

      @Override
      Map<String, @Nullable Object> read(String line) {
        return JsonTree.object(line);
      }
    },
    TEXT {
      @Override
      Encoder<ILoggingEvent> encoder() {
        return new TextLogEncoder();
      }

      @Override
      Map<String, @Nullable Object> read(String line) {
        Matcher parts = LINE.matcher(line);
        assertThat(parts.matches()).as(line).isTrue();
        Map<String, @Nullable Object> fields = new LinkedHashMap<>();
        fields.put("time", parts.group(1));
        fields.put("level", parts.group(2));
        fields.put("logger", parts.group(3));
        fields.put("message", unescaped(parts.group(4)));
        for (MatchResult field : FIELD.matcher(parts.group(5)).results().toList()) {
          assertThat(fields.put(field.group(1), unescaped(field.group(2)))).isNull();
        }
        return fields;
      }
    };

    abstract Encoder<ILoggingEvent> encoder();

    /// Reads the fields of a line, in their order.
    abstract Map<String, @Nullable Object> read(String line);

    /// Encodes an event. Fails unless the result is one line of harmless characters.
    String encode(ILoggingEvent event) {
      String text = new String(encoder().encode(event), UTF_8);
      assertThat(text).endsWith("\n");
      String line = text.substring(0, text.length() - 1);
      assertThat(line.codePoints().map(Character::getType))
          .doesNotContain(
              (int) Character.CONTROL,
              (int) Character.FORMAT,
              (int) Character.LINE_SEPARATOR,
              (int) Character.PARAGRAPH_SEPARATOR,
              (int) Character.SURROGATE);
      return line;
    }

    Map<String, @Nullable Object> fields(ILoggingEvent event) {
      return read(encode(event));
    }
  }

  private static @Nullable Object unescaped(String text) {
    return JsonTree.parse("\"" + text + "\"");
  }

  private static LoggingEvent event(String message) {
    var event = new LoggingEvent();
    event.setTimeStamp(Instant.parse(TIME).toEpochMilli());
    event.setLevel(Level.WARN);
    event.setLoggerName("dev.hmacd.token.Lane");
    event.setMessage(message);
    return event;
  }

  private static LoggingEvent event(String name, @Nullable Object value) {
    LoggingEvent event = event(MESSAGE);
    event.addKeyValuePair(new KeyValuePair(name, value));
    return event;
  }

  @Test
  void jsonLineHasTheFixedFieldsFirst() {
    assertThat(Format.JSON.encode(event("key_id", "k-1")))
        .isEqualTo(
            "{\"time\":\"2026-03-01T12:00:00.007Z\",\"level\":\"WARN\","
                + "\"logger\":\"dev.hmacd.token.Lane\",\"message\":\"Key loaded\","
                + "\"key_id\":\"k-1\"}");
  }

  @Test
  void textLineHasTimeLevelLoggerAndMessageFirst() {
    assertThat(Format.TEXT.encode(event("key_id", "k-1")))
        .isEqualTo("2026-03-01T12:00:00.007Z WARN  Lane - Key loaded key_id=\"k-1\"");
  }

  /// Whole seconds have milliseconds, too.
  @ParameterizedTest
  @EnumSource
  void timeHasThreeDigitsForTheMilliseconds(Format format) {
    var event = new LoggingEvent();
    event.setTimeStamp(0);
    event.setLevel(Level.INFO);
    event.setLoggerName("Lane");
    event.setMessage(MESSAGE);
    assertThat(format.fields(event)).containsEntry("time", "1970-01-01T00:00:00.000Z");
  }

  static Stream<Arguments> hostile() {
    return Stream.of(Format.values())
        .flatMap(format -> HOSTILE.stream().map(value -> Arguments.of(format, value)));
  }

  /// The name has no value: reports cannot contain all of these characters.
  @ParameterizedTest(name = "{0} {index}")
  @MethodSource("hostile")
  void hostileValueStaysInItsField(Format format, String value) {
    Map<String, @Nullable Object> fields = format.fields(event("principal", value));
    assertThat(fields)
        .containsOnlyKeys("time", "level", "logger", "message", "principal")
        .containsEntry("time", TIME)
        .containsEntry("level", "WARN")
        .containsEntry("message", MESSAGE)
        .containsEntry("principal", value);
  }

  @ParameterizedTest(name = "{0} {index}")
  @MethodSource("hostile")
  void hostileMessageStaysInItsField(Format format, String value) {
    LoggingEvent event = event(value);
    event.addKeyValuePair(new KeyValuePair("times", 1));
    assertThat(format.fields(event))
        .containsOnlyKeys("time", "level", "logger", "message", "times")
        .containsEntry("level", "WARN")
        .containsEntry("message", value);
  }

  @ParameterizedTest(name = "{0} {index}")
  @MethodSource("hostile")
  void hostileExceptionStaysInItsField(Format format, String value) {
    LoggingEvent event = event(MESSAGE);
    event.setThrowableProxy(new ThrowableProxy(new IllegalStateException(value)));
    Map<String, @Nullable Object> fields = format.fields(event);
    assertThat(fields)
        .containsOnlyKeys("time", "level", "logger", "message", "exception")
        .containsEntry("level", "WARN");
    assertThat(fields.get("exception")).asString().contains(value);
  }

  /// Such a name is escaped, too, and cannot end the line.
  @ParameterizedTest(name = "{0} {index}")
  @MethodSource("hostile")
  void hostileNameStaysInItsLine(Format format, String value) {
    assertThat(format.encode(event(value, "x"))).startsWith(format == Format.JSON ? "{" : TIME);
  }

  @ParameterizedTest
  @EnumSource
  void otherCharactersAreNotEscaped(Format format) {
    String text = "Schlüssel-鍵-\ud83d\udd11 /a=b;c'd`e$(f)";
    assertThat(format.encode(event("label", text))).contains("\"" + text + "\"");
    assertThat(format.fields(event("label", text))).containsEntry("label", text);
  }

  @ParameterizedTest
  @EnumSource
  void exceptionIsOneFieldWithStackTraceAndCause(Format format) {
    LoggingEvent event = event(MESSAGE);
    event.setThrowableProxy(
        new ThrowableProxy(new IllegalStateException("outer", new RuntimeException("inner"))));
    assertThat(format.fields(event).get("exception"))
        .asString()
        .startsWith("java.lang.IllegalStateException: outer\n\tat dev.hmacd.log.LogFormatTest")
        .contains("\nCaused by: java.lang.RuntimeException: inner\n")
        .doesNotEndWith("\n");
  }

  @ParameterizedTest
  @EnumSource
  void fieldWithATakenNameGetsASuffix(Format format) {
    LoggingEvent event = event(MESSAGE);
    for (String name : List.of("time", "level", "logger", "message", "exception", "x", "x", "x")) {
      event.addKeyValuePair(new KeyValuePair(name, "forged"));
    }
    event.setThrowableProxy(new ThrowableProxy(new IllegalStateException("real")));
    Map<String, @Nullable Object> fields = format.fields(event);
    assertThat(fields)
        .containsEntry("time", TIME)
        .containsEntry("level", "WARN")
        .containsEntry("message", MESSAGE);
    assertThat(fields.keySet())
        .containsExactly(
            "time",
            "level",
            "logger",
            "message",
            "time_2",
            "level_2",
            "logger_2",
            "message_2",
            "exception_2",
            "x",
            "x_2",
            "x_3",
            "exception");
    assertThat(fields.get("exception")).asString().contains("real");
  }

  static Stream<Arguments> types() {
    return Stream.of(
        Arguments.of(1, new BigDecimal("1")),
        Arguments.of(Long.MIN_VALUE, new BigDecimal(Long.MIN_VALUE)),
        Arguments.of((short) 2, new BigDecimal("2")),
        Arguments.of(0.5, new BigDecimal("0.5")),
        Arguments.of(1e300, new BigDecimal("1.0E300")),
        Arguments.of(0.5f, new BigDecimal("0.5")),
        Arguments.of(true, true),
        Arguments.of(null, null),
        Arguments.of(Double.NaN, "NaN"),
        Arguments.of(Float.NEGATIVE_INFINITY, "-Infinity"),
        Arguments.of(List.of("a", "b"), "[a, b]"),
        Arguments.of("1", "1"));
  }

  @ParameterizedTest
  @MethodSource("types")
  void jsonKeepsTheTypeOfNumbersAndBooleans(@Nullable Object value, @Nullable Object expected) {
    assertThat(Format.JSON.fields(event("value", value))).containsEntry("value", expected);
  }

  @ParameterizedTest
  @MethodSource("types")
  void textHasEachValueInQuotes(@Nullable Object value) {
    assertThat(Format.TEXT.fields(event("value", value)))
        .containsEntry("value", String.valueOf(value));
  }
}
