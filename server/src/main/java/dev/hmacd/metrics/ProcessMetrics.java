package dev.hmacd.metrics;

import io.prometheus.metrics.core.metrics.CounterWithCallback;
import io.prometheus.metrics.core.metrics.GaugeWithCallback;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.OptionalLong;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// Metrics of the process, with the names that all client libraries of Prometheus use. A value that
/// the system does not have is not in the scrape.
final class ProcessMetrics {
  private static final Path STATUS = Path.of("/proc/self/status");

  /// The row of the resident memory in `/proc/self/status` (proc(5)), in KiB.
  private static final Pattern RESIDENT = Pattern.compile("(?m)^VmRSS:\\s+(\\d{1,15}) kB$");

  private static final double MILLIS_PER_SECOND = 1e3;

  private ProcessMetrics() {}

  static void register(PrometheusRegistry registry) {
    GaugeWithCallback.builder()
        .name("process_start_time_seconds")
        .help("Start of the process, in seconds since the Unix epoch.")
        .callback(
            callback ->
                info()
                    .startInstant()
                    .map(Instant::toEpochMilli)
                    .ifPresent(millis -> callback.call(millis / MILLIS_PER_SECOND)))
        .register(registry);
    CounterWithCallback.builder()
        .name("process_cpu_seconds_total")
        .help("Processor time of the process, in seconds.")
        .callback(
            callback ->
                info()
                    .totalCpuDuration()
                    .map(Duration::toMillis)
                    .ifPresent(millis -> callback.call(millis / MILLIS_PER_SECOND)))
        .register(registry);
    GaugeWithCallback.builder()
        .name("process_resident_memory_bytes")
        .help("Resident memory of the process, in bytes.")
        .callback(callback -> residentBytes().ifPresent(bytes -> callback.call((double) bytes)))
        .register(registry);
  }

  private static ProcessHandle.Info info() {
    return ProcessHandle.current().info();
  }

  private static OptionalLong residentBytes() {
    try {
      Matcher row = RESIDENT.matcher(Files.readString(STATUS));
      return row.find()
          ? OptionalLong.of(Long.parseLong(row.group(1)) << 10)
          : OptionalLong.empty();
    } catch (IOException e) {
      return OptionalLong.empty(); // No /proc, or no free file descriptor.
    }
  }
}
