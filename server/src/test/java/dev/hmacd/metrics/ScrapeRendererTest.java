package dev.hmacd.metrics;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.hmacd.metrics.ScrapeRenderer.Rendered;
import dev.hmacd.testing.Eventually;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

/// The thread of the scrapes.
final class ScrapeRendererTest {
  private static final String OPEN_METRICS = "application/openmetrics-text; version=1.0.0";
  private static final int SCRAPES = 100;

  private final Metrics metrics = new Metrics();

  private static Rendered get(CompletableFuture<Rendered> scrape) throws Exception {
    return scrape.get(Eventually.LIMIT.toSeconds(), TimeUnit.SECONDS);
  }

  private static String text(CompletableFuture<Rendered> scrape) throws Exception {
    return new String(get(scrape).body(), UTF_8);
  }

  @Test
  void waitingScrapesShareOneCollection() throws Exception {
    var begun = new CountDownLatch(1);
    var end = new CountDownLatch(1);
    var collections = new AtomicInteger();
    metrics.gauge(
        "test_collections",
        "Blocks the first collection.",
        () -> {
          begun.countDown();
          await(end);
          return collections.incrementAndGet();
        });
    try (var renderer = new ScrapeRenderer(metrics.registry())) {
      CompletableFuture<Rendered> first = renderer.render(null);
      await(begun);
      List<CompletableFuture<Rendered>> plain = new ArrayList<>();
      List<CompletableFuture<Rendered>> open = new ArrayList<>();
      for (int i = 0; i < SCRAPES; i++) {
        plain.add(renderer.render(null));
        open.add(renderer.render(OPEN_METRICS));
      }
      end.countDown();
      assertThat(text(first)).contains("test_collections 1.0");
      for (CompletableFuture<Rendered> each : plain) {
        assertThat(get(each)).isSameAs(get(plain.getFirst()));
      }
      for (CompletableFuture<Rendered> each : open) {
        assertThat(get(each)).isSameAs(get(open.getFirst()));
      }
      assertThat(get(plain.getFirst()).contentType()).startsWith("text/plain");
      assertThat(get(open.getFirst()).contentType()).startsWith("application/openmetrics-text");
      assertThat(collections.get()).isEqualTo(2);
      assertThat(text(renderer.render(null))).contains("test_collections 3.0");
    }
  }

  private static void await(CountDownLatch latch) {
    try {
      assertThat(latch.await(Eventually.LIMIT.toSeconds(), TimeUnit.SECONDS)).isTrue();
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
  }

  @Test
  void scrapeAfterTheCloseFails() {
    var renderer = new ScrapeRenderer(metrics.registry());
    renderer.close();
    assertThat(renderer.render(null)).isCompletedExceptionally();
  }
}
