package dev.hmacd.client.spring;

import dev.hmacd.client.HmacdClient;
import io.opentelemetry.api.OpenTelemetry;
import org.springframework.beans.factory.ObjectProvider;
import org.springframework.boot.autoconfigure.AutoConfiguration;
import org.springframework.boot.autoconfigure.condition.ConditionalOnClass;
import org.springframework.boot.autoconfigure.condition.ConditionalOnMissingBean;
import org.springframework.boot.context.properties.EnableConfigurationProperties;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;

/// Auto-configures an [HmacdClient] from the properties `hmacd.*`, unless the application has one
/// of its own. The client closes with the application context. It reports its calls to the bean of
/// type `OpenTelemetry`, if there is one.
@AutoConfiguration
@EnableConfigurationProperties(HmacdProperties.class)
public class HmacdAutoConfiguration {
  @Bean
  @ConditionalOnMissingBean
  HmacdClient hmacdClient(
      HmacdProperties properties, ObjectProvider<HmacdClientCustomizer> customizers) {
    return ConfiguredClient.of(properties, customizers.orderedStream().toList());
  }

  /// OpenTelemetry is an optional dependency of the client.
  @Configuration(proxyBeanMethods = false)
  @ConditionalOnClass(OpenTelemetry.class)
  static class Telemetry {
    @Bean
    HmacdClientCustomizer hmacdTelemetry(ObjectProvider<OpenTelemetry> telemetry) {
      return builder -> telemetry.ifUnique(builder::openTelemetry);
    }
  }
}
