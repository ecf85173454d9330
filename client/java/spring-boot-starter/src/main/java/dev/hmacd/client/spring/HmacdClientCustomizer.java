package dev.hmacd.client.spring;

import dev.hmacd.client.HmacdClientBuilder;

/// Changes the settings of the [dev.hmacd.client.HmacdClient] of the auto-configuration, after the
/// properties `hmacd.*`. Each bean of this type is applied, in Spring's order.
@FunctionalInterface
public interface HmacdClientCustomizer {
  void customize(HmacdClientBuilder builder);
}
