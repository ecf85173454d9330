package dev.hmacd.metrics;

import java.time.Duration;
import java.util.LinkedHashSet;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Limits of the connections and scrapes of a [MetricsServer]. All methods run on the event loop of
/// its connections, except [#openConnections].
final class ScrapeLimits {
  private static final Logger log = LoggerFactory.getLogger(ScrapeLimits.class);

  private final Settings settings;

  /// Open connections, oldest first.
  private final Set<ScrapeConnection> connections = new LinkedHashSet<>();

  private int scrapes;
  private volatile int open;

  /// @param maxConnections maximum number of connections
  /// @param maxScrapes maximum number of scrapes in progress, of all connections
  /// @param timeout time limit for receiving a complete request, and for its answer
  record Settings(int maxConnections, int maxScrapes, Duration timeout) {}

  ScrapeLimits(Settings settings) {
    this.settings = settings;
  }

  Duration timeout() {
    return settings.timeout();
  }

  /// Admits a new connection. At the limit, closes the oldest connection without a scrape in
  /// progress.
  ///
  /// @return false if the limit is reached, and each connection has a scrape in progress
  boolean admit(ScrapeConnection connection) {
    if (connections.size() >= settings.maxConnections() && !evictOldestIdle()) {
      return false;
    }
    connections.add(connection);
    open = connections.size();
    return true;
  }

  private boolean evictOldestIdle() {
    for (ScrapeConnection each : connections) {
      if (!each.isScraping()) {
        log.atDebug()
            .addKeyValue("max_connections", settings.maxConnections())
            .log("Metrics connection closed: a new connection takes its place");
        closed(each);
        each.close();
        return true;
      }
    }
    return false;
  }

  void closed(ScrapeConnection connection) {
    connections.remove(connection);
    open = connections.size();
  }

  /// The number of open connections. Any thread may call this method.
  int openConnections() {
    return open;
  }

  /// Counts a scrape, unless the limit is reached. [#endScrape] must follow if the result is true.
  boolean tryBeginScrape() {
    if (scrapes == settings.maxScrapes()) {
      return false;
    }
    scrapes++;
    return true;
  }

  void endScrape() {
    scrapes--;
  }
}
