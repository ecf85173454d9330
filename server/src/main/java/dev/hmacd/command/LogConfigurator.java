package dev.hmacd.command;

import ch.qos.logback.classic.Level;
import ch.qos.logback.classic.LoggerContext;
import ch.qos.logback.classic.spi.Configurator;
import ch.qos.logback.classic.spi.ILoggingEvent;
import ch.qos.logback.core.ConsoleAppender;
import ch.qos.logback.core.encoder.Encoder;
import ch.qos.logback.core.encoder.EncoderBase;
import ch.qos.logback.core.spi.ContextAwareBase;
import dev.hmacd.config.Config;
import dev.hmacd.log.JsonLogEncoder;
import dev.hmacd.log.TextLogEncoder;
import java.util.logging.LogManager;
import org.slf4j.ILoggerFactory;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.slf4j.bridge.SLF4JBridgeHandler;

/// Logback configurator: logs to standard error, one line per event. Logback loads this class
/// instead of a configuration file, so no file on the class path can change the log.
public final class LogConfigurator extends ContextAwareBase implements Configurator {
  /// Public for the service loader that Logback uses.
  public LogConfigurator() {}

  @Override
  public ExecutionStatus configure(LoggerContext context) {
    apply(context, new Config.Logging(false, Config.Level.INFO));
    return ExecutionStatus.DO_NOT_INVOKE_NEXT_IF_ANY;
  }

  /// Replaces the previous settings of the log with the settings of the configuration.
  static void apply(Config.Logging logging) {
    ILoggerFactory factory = LoggerFactory.getILoggerFactory();
    if (factory instanceof LoggerContext context) {
      context.reset();
      apply(context, logging);
    }
    // gRPC logs with java.util.logging, whose messages the bridge passes to SLF4J.
    LogManager.getLogManager().reset();
    SLF4JBridgeHandler.install();
  }

  private static void apply(LoggerContext context, Config.Logging logging) {
    var console = new ConsoleAppender<ILoggingEvent>();
    console.setContext(context);
    console.setTarget("System.err");
    console.setEncoder(encoder(context, logging.json()));
    console.start();
    var root = context.getLogger(Logger.ROOT_LOGGER_NAME);
    root.addAppender(console);
    root.setLevel(Level.WARN);
    // gRPC logs each malformed frame with a stack trace. Input from callers must not fill the log.
    context.getLogger("io.grpc").setLevel(Level.ERROR);
    // Netty's HTTP/2 codec logs an error for each connection with broken flow control.
    context.getLogger("io.netty.handler.codec.http2").setLevel(Level.OFF);
    // Netty logs each connection that was evicted before an event loop had registered it.
    context.getLogger("io.netty.bootstrap").setLevel(Level.ERROR);
    context.getLogger("dev.hmacd").setLevel(Level.toLevel(logging.level().name()));
  }

  private static Encoder<ILoggingEvent> encoder(LoggerContext context, boolean json) {
    EncoderBase<ILoggingEvent> encoder = json ? new JsonLogEncoder() : new TextLogEncoder();
    encoder.setContext(context);
    encoder.start();
    return encoder;
  }
}
