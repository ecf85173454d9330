package dev.hmacd.log;

import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.classic.spi.IThrowableProxy;
import ch.qos.logback.classic.spi.ThrowableProxyUtil;
import java.time.Instant;
import java.time.format.DateTimeFormatter;
import java.time.format.DateTimeFormatterBuilder;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.slf4j.event.KeyValuePair;

/// The parts of a Logback event, as both log formats write them.
final class LogEvent {
  static final String TIME = "time";
  static final String LEVEL = "level";
  static final String LOGGER = "logger";
  static final String MESSAGE = "message";
  static final String EXCEPTION = "exception";

  /// ISO 8601 in UTC, with three digits for the milliseconds.
  private static final DateTimeFormatter ISO_MILLIS =
      new DateTimeFormatterBuilder().appendInstant(3).toFormatter(Locale.ROOT);

  private final ILoggingEvent event;

  LogEvent(ILoggingEvent event) {
    this.event = event;
  }

  /// A named value of an event.
  record Field(String name, @Nullable Object value) {}

  String time() {
    return ISO_MILLIS.format(Instant.ofEpochMilli(event.getTimeStamp()));
  }

  String level() {
    return event.getLevel().toString();
  }

  /// The full name of the logger, usually a class name.
  String logger() {
    return event.getLoggerName();
  }

  /// The logger's name without its package.
  String shortLogger() {
    String name = logger();
    return name.substring(name.lastIndexOf('.') + 1);
  }

  String message() {
    return String.valueOf(event.getFormattedMessage());
  }

  /// The key-value pairs of the event, followed by the stack trace of its exception. No two fields
  /// have the same name, and no key-value pair has the name of a fixed field: a later field of the
  /// same name gets a number as suffix, such as `message_2`.
  List<Field> fields() {
    Set<String> names = new HashSet<>(Set.of(TIME, LEVEL, LOGGER, MESSAGE, EXCEPTION));
    List<Field> fields = new ArrayList<>();
    List<KeyValuePair> pairs = event.getKeyValuePairs();
    if (pairs != null) {
      for (KeyValuePair pair : pairs) {
        fields.add(new Field(unique(names, String.valueOf(pair.key)), pair.value));
      }
    }
    IThrowableProxy exception = event.getThrowableProxy();
    if (exception != null) {
      fields.add(new Field(EXCEPTION, ThrowableProxyUtil.asString(exception).strip()));
    }
    return fields;
  }

  private static String unique(Set<String> names, String name) {
    String candidate = name;
    for (int i = 2; !names.add(candidate); i++) {
      candidate = name + "_" + i;
    }
    return candidate;
  }
}
