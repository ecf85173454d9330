/// Metrics for operators, in the format of Prometheus.
@NullMarked
package dev.hmacd.metrics;

import org.jspecify.annotations.NullMarked;
