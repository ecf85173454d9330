package dev.hmacd.metrics;

import io.prometheus.metrics.core.metrics.GaugeWithCallback;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.lang.management.BufferPoolMXBean;
import java.lang.management.ManagementFactory;
import java.lang.management.MemoryMXBean;

/// Metrics of the JVM's memory, named as in the JVM metrics of the Prometheus client library.
final class MemoryMetrics {
  private MemoryMetrics() {}

  static void register(PrometheusRegistry registry) {
    // Each scrape looks up the management beans: a look-up at the start would load their classes
    // and slow the start.
    GaugeWithCallback.builder()
        .name("jvm_memory_used_bytes")
        .help("Used memory of the JVM in each memory area, in bytes.")
        .labelNames("area")
        .callback(
            callback -> {
              MemoryMXBean memory = ManagementFactory.getMemoryMXBean();
              callback.call((double) memory.getHeapMemoryUsage().getUsed(), "heap");
              callback.call((double) memory.getNonHeapMemoryUsage().getUsed(), "nonheap");
            })
        .register(registry);
    GaugeWithCallback.builder()
        .name("jvm_memory_max_bytes")
        .help("Maximum size of the JVM's heap, in bytes.")
        .labelNames("area")
        .callback(
            callback ->
                callback.call(
                    (double) ManagementFactory.getMemoryMXBean().getHeapMemoryUsage().getMax(),
                    "heap"))
        .register(registry);
    GaugeWithCallback.builder()
        .name("jvm_buffer_pool_used_bytes")
        .help("Used memory of the JVM's buffer pools, in bytes; direct is outside the heap.")
        .labelNames("pool")
        .callback(
            callback ->
                ManagementFactory.getPlatformMXBeans(BufferPoolMXBean.class)
                    .forEach(pool -> callback.call((double) pool.getMemoryUsed(), pool.getName())))
        .register(registry);
  }
}
