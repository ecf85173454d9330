package dev.hmacd.log;

import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.encoder.EncoderBase;
import java.nio.charset.StandardCharsets;

/// Encodes each log event as one line of text: `TIME LEVEL LOGGER - MESSAGE key="value" ...`.
///
/// The field `exception` has the stack trace. Quotes, backslashes, line breaks and control
/// characters in the message and in values are escaped as in JSON.
public final class TextLogEncoder extends EncoderBase<ILoggingEvent> {
  private static final byte[] NOTHING = {};

  /// Length of the longest name of a level.
  private static final int LEVEL_WIDTH = 5;

  @Override
  public byte[] headerBytes() {
    return NOTHING;
  }

  @Override
  public byte[] encode(ILoggingEvent event) {
    var parts = new LogEvent(event);
    var line = new StringBuilder(256);
    String level = parts.level();
    line.append(parts.time()).append(' ').append(level);
    line.append(" ".repeat(Math.max(0, LEVEL_WIDTH - level.length()))).append(' ');
    LogEscapes.append(line, parts.shortLogger());
    line.append(" - ");
    LogEscapes.append(line, parts.message());
    for (LogEvent.Field field : parts.fields()) {
      line.append(' ');
      LogEscapes.append(line, field.name());
      line.append('=');
      LogEscapes.appendQuoted(line, String.valueOf(field.value()));
    }
    return line.append('\n').toString().getBytes(StandardCharsets.UTF_8);
  }

  @Override
  public byte[] footerBytes() {
    return NOTHING;
  }
}
