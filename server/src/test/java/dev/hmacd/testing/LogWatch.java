package dev.hmacd.testing;

import static org.assertj.core.api.Assertions.assertThat;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.LoggerContext;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.AppenderBase;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Records log lines of this JVM. A healthy daemon logs no warning and no error, for any request.
public final class LogWatch implements AutoCloseable {
  private final List<String> warnings = new CopyOnWriteArrayList<>();
  private final List<String> lines = new CopyOnWriteArrayList<>();
  private final ch.qos.logback.classic.Logger root;
  private final AppenderBase<ILoggingEvent> appender =
      new AppenderBase<>() {
        @Override
        protected void append(ILoggingEvent event) {
          lines.add(
              event.getLevel()
                  + " "
                  + event.getFormattedMessage()
                  + " "
                  + event.getKeyValuePairs());
          if (event.getLevel().isGreaterOrEqual(Level.WARN)) {
            warnings.add(event + " " + event.getKeyValuePairs() + " " + event.getThrowableProxy());
          }
        }
      };

  private LogWatch() {
    LoggerContext context = (LoggerContext) LoggerFactory.getILoggerFactory();
    root = context.getLogger(Logger.ROOT_LOGGER_NAME);
    appender.setContext(context);
  }

  /// Starts to record.
  public static LogWatch start() {
    var watch = new LogWatch();
    watch.appender.start();
    watch.root.addAppender(watch.appender);
    return watch;
  }

  /// Fails if a warning or an error was logged since the start.
  public void assertQuiet() {
    assertThat(warnings).as("warnings and errors").isEmpty();
  }

  /// Fails if a warning or an error without any of these texts was logged since the start.
  public void assertQuietExcept(String... texts) {
    assertThat(warnings)
        .as("warnings and errors")
        .allMatch(line -> Arrays.stream(texts).anyMatch(line::contains));
  }

  /// The number of warnings and errors since the start that contain all of these texts.
  public long count(String... texts) {
    return warnings.stream().filter(line -> Arrays.stream(texts).allMatch(line::contains)).count();
  }

  /// The lines since the start that contain all of these words. A line has level, message and
  /// fields.
  public List<String> lines(String... words) {
    return lines.stream().filter(line -> Stream.of(words).allMatch(line::contains)).toList();
  }

  @Override
  public void close() {
    root.detachAppender(appender);
  }
}
