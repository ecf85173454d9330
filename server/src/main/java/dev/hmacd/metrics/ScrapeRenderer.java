package dev.hmacd.metrics;

import com.google.errorprone.annotations.ThreadSafe;
import dev.hmacd.log.LogRateLimiter;
import io.prometheus.metrics.config.EscapingScheme;
import io.prometheus.metrics.expositionformats.ExpositionFormatWriter;
import io.prometheus.metrics.expositionformats.ExpositionFormats;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Renders scrapes, one after the other, on its own thread.
///
/// A scrape would block an event loop: the first scrape loads classes, and each scrape reads
/// management beans and `/proc`.
@ThreadSafe
@SuppressWarnings("ThreadSafe") // PrometheusRegistry and ThreadPoolExecutor are thread-safe.
final class ScrapeRenderer implements AutoCloseable {
  private static final Logger log = LoggerFactory.getLogger(ScrapeRenderer.class);

  private final PrometheusRegistry registry;
  private final ThreadPoolExecutor thread;
  private final LogRateLimiter failures = new LogRateLimiter();

  /// The formats are loaded by the first scrape, so that they do not slow the start.
  private static final class Formats {
    static final ExpositionFormats ALL = ExpositionFormats.init();

    private Formats() {}
  }

  /// A rendered scrape.
  record Rendered(String contentType, @SuppressWarnings("ArrayRecordComponent") byte[] body) {}

  /// @param maxScrapes maximum number of scrapes that wait for the thread
  ScrapeRenderer(PrometheusRegistry registry, int maxScrapes) {
    this.registry = registry;
    this.thread =
        new ThreadPoolExecutor(
            1,
            1,
            0,
            TimeUnit.SECONDS,
            new ArrayBlockingQueue<>(maxScrapes),
            Thread.ofPlatform().name("hmacd-metrics").daemon().factory());
  }

  /// Renders all metrics.
  ///
  /// @param accept the header field `Accept` of the request, which selects the format; null for the
  ///   text format of Prometheus
  /// @return completes on the thread of this object, or fails with an unexpected exception, which
  ///   is in the log
  CompletableFuture<Rendered> render(@Nullable String accept) {
    try {
      return CompletableFuture.supplyAsync(() -> rendered(accept), thread);
    } catch (RejectedExecutionException e) {
      return CompletableFuture.failedFuture(e); // The daemon is stopping.
    }
  }

  private Rendered rendered(@Nullable String accept) {
    try {
      ExpositionFormatWriter writer = Formats.ALL.findWriter(accept);
      var body = new ByteArrayOutputStream();
      writer.write(body, registry.scrape(), EscapingScheme.fromAcceptHeader(accept));
      return new Rendered(writer.getContentType(), body.toByteArray());
    } catch (IOException e) {
      throw new UncheckedIOException(e); // Not thrown: the body is in memory.
    } catch (RuntimeException | Error e) {
      long times = failures.happened();
      if (times > 0) {
        log.atError()
            .addKeyValue("times", times)
            .setCause(e)
            .log("Scrape of the metrics failed: unexpected error");
      }
      throw e;
    }
  }

  @Override
  public void close() {
    thread.shutdownNow();
  }
}
