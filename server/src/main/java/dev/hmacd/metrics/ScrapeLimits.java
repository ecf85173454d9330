package dev.hmacd.metrics;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Limits of the connections of a [MetricsServer]. All methods run on the event loop of its
/// connections, except [#openConnections].
final class ScrapeLimits {
  private static final Logger log = LoggerFactory.getLogger(ScrapeLimits.class);

  private final Settings settings;

  /// Open connections, oldest first.
  private final Set<ScrapeConnection> connections = new LinkedHashSet<>();

  private volatile int open;

  /// @param maxConnections maximum number of connections
  /// @param timeout time limit for receiving a complete request, and for its answer
  record Settings(int maxConnections, Duration timeout) {}

  ScrapeLimits(Settings settings) {
    this.settings = settings;
  }

  Duration timeout() {
    return settings.timeout();
  }

  /// Admits a new connection. At the limit, evicts the oldest connection of the address with the
  /// most connections, preferably one without a scrape in progress.
  void admit(ScrapeConnection connection) {
    if (connections.size() >= settings.maxConnections()) {
      evict(evictionCandidate());
    }
    connections.add(connection);
    open = connections.size();
  }

  private ScrapeConnection evictionCandidate() {
    Map<String, List<ScrapeConnection>> byAddress = new LinkedHashMap<>();
    for (ScrapeConnection each : connections) {
      byAddress.computeIfAbsent(each.source(), _ -> new ArrayList<>()).add(each);
    }
    List<ScrapeConnection> most =
        Collections.max(byAddress.values(), Comparator.comparingInt(List::size));
    return most.stream().filter(each -> !each.isScraping()).findFirst().orElseGet(most::getFirst);
  }

  private void evict(ScrapeConnection connection) {
    log.atDebug()
        .addKeyValue("max_connections", settings.maxConnections())
        .addKeyValue("address", connection.source())
        .log("Metrics connection evicted by a new connection");
    closed(connection);
    connection.close();
  }

  void closed(ScrapeConnection connection) {
    connections.remove(connection);
    open = connections.size();
  }

  /// The number of open connections. Any thread may call this method.
  int openConnections() {
    return open;
  }
}
