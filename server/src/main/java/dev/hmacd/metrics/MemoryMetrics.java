package dev.hmacd.metrics;

import io.prometheus.metrics.core.metrics.GaugeWithCallback;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.lang.management.BufferPoolMXBean;
import java.lang.management.ManagementFactory;
import java.lang.management.MemoryMXBean;

/// Metrics of the JVM's memory, with the names of the JVM metrics of the Prometheus client library.
final class MemoryMetrics {
  private MemoryMetrics() {}

  static void register(PrometheusRegistry registry) {
    // The beans are looked up at a scrape, because their classes would slow each start.
    GaugeWithCallback.builder()
        .name("jvm_memory_used_bytes")
        .help("Used bytes of the JVM's memory areas.")
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
        .help("Maximum bytes of the JVM's heap.")
        .labelNames("area")
        .callback(
            callback ->
                callback.call(
                    (double) ManagementFactory.getMemoryMXBean().getHeapMemoryUsage().getMax(),
                    "heap"))
        .register(registry);
    GaugeWithCallback.builder()
        .name("jvm_buffer_pool_used_bytes")
        .help("Used bytes of the JVM's buffer pools; direct is the memory outside the heap.")
        .labelNames("pool")
        .callback(
            callback ->
                ManagementFactory.getPlatformMXBeans(BufferPoolMXBean.class)
                    .forEach(pool -> callback.call((double) pool.getMemoryUsed(), pool.getName())))
        .register(registry);
  }
}
