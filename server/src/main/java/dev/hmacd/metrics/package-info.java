/// What operators can measure, in Prometheus's terms.
@NullMarked
package dev.hmacd.metrics;

import org.jspecify.annotations.NullMarked;
