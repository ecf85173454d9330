package dev.hmacd.metrics;

import com.google.errorprone.annotations.ThreadSafe;
import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.hmacd.log.LogRateLimiter;
import io.prometheus.metrics.config.EscapingScheme;
import io.prometheus.metrics.expositionformats.ExpositionFormatWriter;
import io.prometheus.metrics.expositionformats.ExpositionFormats;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.prometheus.metrics.model.snapshots.MetricSnapshots;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ArrayBlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Renders scrapes on its own thread. All scrapes that wait for the thread share one collection of
/// the metrics, so that a flood of scrapes does not delay other scrapes.
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

  /// The scrapes of the next collection. If there are any, the thread has a task for them.
  @GuardedBy("this")
  private List<Waiting> waiting = new ArrayList<>();

  /// The formats are loaded by the first scrape, so that they do not slow the start.
  private static final class Formats {
    static final ExpositionFormats ALL = ExpositionFormats.init();

    private Formats() {}
  }

  /// A rendered scrape.
  record Rendered(String contentType, @SuppressWarnings("ArrayRecordComponent") byte[] body) {}

  /// A scrape that waits for the thread.
  private record Waiting(@Nullable String accept, CompletableFuture<Rendered> result) {}

  /// The format of an answer.
  private record Format(ExpositionFormatWriter writer, EscapingScheme escaping) {
    static Format of(@Nullable String accept) {
      return new Format(Formats.ALL.findWriter(accept), EscapingScheme.fromAcceptHeader(accept));
    }

    Rendered render(MetricSnapshots snapshots) {
      var body = new ByteArrayOutputStream();
      try {
        writer.write(body, snapshots, escaping);
      } catch (IOException e) {
        throw new UncheckedIOException(e); // Not thrown: the body is in memory.
      }
      return new Rendered(writer.getContentType(), body.toByteArray());
    }
  }

  ScrapeRenderer(PrometheusRegistry registry) {
    this.registry = registry;
    this.thread =
        new ThreadPoolExecutor(
            1,
            1,
            0,
            TimeUnit.SECONDS,
            new ArrayBlockingQueue<>(1),
            Thread.ofPlatform().name("hmacd-metrics").daemon().factory());
  }

  /// Renders all metrics.
  ///
  /// @param accept the header field `Accept` of the request, which selects the format; null for the
  ///   text format of Prometheus
  /// @return completes on the thread of this object, or fails with an unexpected exception, which
  ///   is in the log
  CompletableFuture<Rendered> render(@Nullable String accept) {
    var scrape = new Waiting(accept, new CompletableFuture<>());
    boolean first;
    synchronized (this) {
      first = waiting.isEmpty();
      waiting.add(scrape);
    }
    if (first) {
      try {
        thread.execute(this::renderWaiting);
      } catch (RejectedExecutionException e) { // The daemon is stopping.
        fail(takeWaiting(), e);
      }
    }
    return scrape.result();
  }

  private synchronized List<Waiting> takeWaiting() {
    List<Waiting> taken = waiting;
    waiting = new ArrayList<>();
    return taken;
  }

  private void renderWaiting() {
    List<Waiting> scrapes = takeWaiting();
    try {
      render(scrapes, registry.scrape());
    } catch (RuntimeException | Error e) {
      logFailure(e);
      fail(scrapes, e);
    }
  }

  private void render(List<Waiting> scrapes, MetricSnapshots snapshots) {
    Map<Format, Rendered> rendered = new HashMap<>();
    for (Waiting each : scrapes) {
      try {
        Format format = Format.of(each.accept());
        each.result().complete(rendered.computeIfAbsent(format, key -> key.render(snapshots)));
      } catch (RuntimeException e) { // A format that fails must not stop scrapes in other formats.
        logFailure(e);
        fail(List.of(each), e);
      }
    }
  }

  private void logFailure(Throwable cause) {
    long times = failures.happened();
    if (times > 0) {
      log.atError()
          .addKeyValue("times", times)
          .setCause(cause)
          .log("Scrape of the metrics failed: unexpected error");
    }
  }

  /// Completes scrapes with an exception. No effect on scrapes that are complete.
  private static void fail(List<Waiting> scrapes, Throwable cause) {
    scrapes.forEach(each -> each.result().completeExceptionally(cause));
  }

  @Override
  public void close() {
    thread.shutdownNow();
  }
}
