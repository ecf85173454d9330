package dev.hmacd.metrics;

import dev.hmacd.token.LaneObserver;
import dev.hmacd.usecase.Call;
import dev.hmacd.usecase.CallObserver;
import dev.hmacd.usecase.Edge;
import dev.hmacd.usecase.Outcome;
import io.prometheus.metrics.core.datapoints.DistributionDataPoint;
import io.prometheus.metrics.core.metrics.Counter;
import io.prometheus.metrics.core.metrics.CounterWithCallback;
import io.prometheus.metrics.core.metrics.GaugeWithCallback;
import io.prometheus.metrics.core.metrics.Histogram;
import io.prometheus.metrics.core.metrics.Info;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.SortedMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.function.DoubleSupplier;

/// The daemon's metrics for Prometheus, which a [MetricsServer] serves. Thread-safe.
///
/// Label values come from small sets, such as the methods and reasons of the contract, and never
/// from callers.
public final class Metrics implements CallObserver {
  private static final double NANOS = 1e9;

  /// Values of the label `edge`: the edge's section of the configuration.
  private static final Map<Edge, String> EDGES = edges();

  private final PrometheusRegistry registry = new PrometheusRegistry();
  private final Counter calls =
      Counter.builder()
          .name("hmacd_calls_total")
          .help("Ended calls, by edge, method and reason. A successful call has the reason OK.")
          .labelNames("edge", "method", "reason")
          .register(registry);
  private final Histogram callSeconds =
      histogram(
          "hmacd_call_duration_seconds",
          "Duration of calls, from the arrival of the request to the answer.",
          "edge",
          "method");
  private final Histogram queueSeconds =
      histogram(
          "hmacd_token_queue_duration_seconds",
          "Waiting time of token operations in the work queue.",
          "token");
  private final Histogram tokenSeconds =
      histogram(
          "hmacd_token_operation_duration_seconds",
          "Duration of token operations on a lane, including recovery from faults.",
          "token");
  private final Counter faults =
      Counter.builder()
          .name("hmacd_token_faults_total")
          .help(
              "Faults of the token that lanes and health checks detected, by kind, with stale"
                  + " handles and a full token.")
          .labelNames("token", "fault")
          .register(registry);

  /// Gauge values by name of the metric, and then by serial number of the token.
  private final Map<String, Map<String, DoubleSupplier>> tokenGauges = new ConcurrentHashMap<>();

  public Metrics() {
    MemoryMetrics.register(registry);
    ProcessMetrics.register(registry);
  }

  private static Map<Edge, String> edges() {
    Map<Edge, String> labels = new EnumMap<>(Edge.class);
    for (Edge edge : Edge.values()) {
      labels.put(edge, edge.name().toLowerCase(Locale.ROOT));
    }
    return labels;
  }

  private Histogram histogram(String name, String help, String... labels) {
    return Histogram.builder()
        .name(name)
        .help(help)
        .labelNames(labels)
        .classicOnly()
        .classicUpperBounds(
            25e-6, 50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 50e-3, 0.1,
            0.25, 0.5, 1, 2.5, 5, 10)
        .register(registry);
  }

  @Override
  public void ended(Call call, Outcome outcome, long nanos) {
    String edge = EDGES.get(call.edge());
    String method = call.method().name();
    calls.labelValues(edge, method, outcome.reason()).inc();
    callSeconds.labelValues(edge, method).observe(nanos / NANOS);
  }

  /// Adds a callback counter, whose value is read at each scrape.
  ///
  /// @param name ends in `_total`
  public void counter(String name, String help, DoubleSupplier value) {
    CounterWithCallback.builder()
        .name(name)
        .help(help)
        .callback(callback -> callback.call(value.getAsDouble()))
        .register(registry);
  }

  /// Adds a callback counter with labels, whose values are read at each scrape.
  ///
  /// @param name ends in `_total`
  /// @param labels names of the labels
  /// @param values the value for each combination of label values, in the order of `labels`
  public void counter(
      String name, String help, List<String> labels, Map<List<String>, DoubleSupplier> values) {
    CounterWithCallback.builder()
        .name(name)
        .help(help)
        .labelNames(labels.toArray(String[]::new))
        .callback(
            callback ->
                values.forEach(
                    (labelValues, value) ->
                        callback.call(value.getAsDouble(), labelValues.toArray(String[]::new))))
        .register(registry);
  }

  /// Adds a callback gauge, whose value is read at each scrape.
  public void gauge(String name, String help, DoubleSupplier value) {
    GaugeWithCallback.builder()
        .name(name)
        .help(help)
        .callback(callback -> callback.call(value.getAsDouble()))
        .register(registry);
  }

  /// Adds a callback gauge with one label, whose values are read at each scrape.
  ///
  /// @param values the value for each label value
  public void gauge(String name, String help, String label, Map<String, DoubleSupplier> values) {
    GaugeWithCallback.builder()
        .name(name)
        .help(help)
        .labelNames(label)
        .callback(
            callback ->
                values.forEach(
                    (labelValue, value) -> callback.call(value.getAsDouble(), labelValue)))
        .register(registry);
  }

  /// Adds a metric with the constant value 1, whose labels have the information.
  ///
  /// @param name ends in `_info`
  /// @param labels the value of each label
  public void info(String name, String help, SortedMap<String, String> labels) {
    Info info =
        Info.builder()
            .name(name)
            .help(help)
            .labelNames(labels.keySet().toArray(String[]::new))
            .register(registry);
    info.setLabelValues(labels.values().toArray(String[]::new));
  }

  /// The metrics of one token, with its serial number as a label.
  public OfToken ofToken(String serial) {
    return new OfToken(serial);
  }

  /// The metrics of one token.
  public final class OfToken implements LaneObserver {
    private final String serial;
    private final DistributionDataPoint queued;
    private final DistributionDataPoint taken;

    private OfToken(String serial) {
      this.serial = serial;
      this.queued = queueSeconds.labelValues(serial);
      this.taken = tokenSeconds.labelValues(serial);
      // A series that begins with 1 has no rate: the first fault would cause no alert.
      for (String fault : LaneObserver.faults()) {
        faults.initLabelValues(serial, fault);
      }
    }

    @Override
    public void finished(long queuedNanos, long tokenNanos) {
      queued.observe(queuedNanos / NANOS);
      taken.observe(tokenNanos / NANOS);
    }

    @Override
    public void faulted(String fault) {
      faults.labelValues(serial, fault).inc();
    }

    /// Adds a callback gauge with the serial number of this token as a label.
    public void gauge(String name, String help, DoubleSupplier value) {
      Map<String, DoubleSupplier> tokens =
          tokenGauges.computeIfAbsent(name, _ -> new ConcurrentSkipListMap<>());
      if (tokens.isEmpty()) {
        GaugeWithCallback.builder()
            .name(name)
            .help(help)
            .labelNames("token")
            .callback(
                callback ->
                    tokens.forEach((token, each) -> callback.call(each.getAsDouble(), token)))
            .register(registry);
      }
      tokens.put(serial, value);
    }
  }

  /// All metrics, for a scrape.
  PrometheusRegistry registry() {
    return registry;
  }
}
