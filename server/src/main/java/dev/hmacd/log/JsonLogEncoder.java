package dev.hmacd.log;

import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.encoder.EncoderBase;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;

/// Encodes each log event as one line with one flat JSON object.
///
/// The fixed fields `time`, `level`, `logger` and `message` come first. Each key-value pair of the
/// event is a field of its own: numbers, booleans and null keep their type, all other values are
/// strings. The field `exception` has the stack trace.
public final class JsonLogEncoder extends EncoderBase<ILoggingEvent> {
  private static final byte[] NOTHING = {};

  @Override
  public byte[] headerBytes() {
    return NOTHING;
  }

  @Override
  public byte[] encode(ILoggingEvent event) {
    var parts = new LogEvent(event);
    var line = new StringBuilder(256);
    line.append('{');
    append(line, LogEvent.TIME, parts.time());
    append(line.append(','), LogEvent.LEVEL, parts.level());
    append(line.append(','), LogEvent.LOGGER, parts.logger());
    append(line.append(','), LogEvent.MESSAGE, parts.message());
    for (LogEvent.Field field : parts.fields()) {
      append(line.append(','), field.name(), field.value());
    }
    return line.append("}\n").toString().getBytes(StandardCharsets.UTF_8);
  }

  private static void append(StringBuilder line, String name, @Nullable Object value) {
    LogEscapes.appendQuoted(line, name);
    line.append(':');
    if (isLiteral(value)) {
      line.append(value);
    } else {
      LogEscapes.appendQuoted(line, String.valueOf(value));
    }
  }

  /// Whether the text of a value is a literal of JSON. Infinite numbers and NaN are not.
  private static boolean isLiteral(@Nullable Object value) {
    return switch (value) {
      case null -> true;
      case Boolean _, Byte _, Short _, Integer _, Long _, BigInteger _ -> true;
      case Float number -> Float.isFinite(number);
      case Double number -> Double.isFinite(number);
      default -> false;
    };
  }

  @Override
  public byte[] footerBytes() {
    return NOTHING;
  }
}
