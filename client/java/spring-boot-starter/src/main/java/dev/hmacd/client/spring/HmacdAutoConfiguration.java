package dev.hmacd.client.spring;

import dev.hmacd.client.HmacdClient;
import org.springframework.boot.autoconfigure.AutoConfiguration;
import org.springframework.boot.autoconfigure.condition.ConditionalOnMissingBean;
import org.springframework.boot.context.properties.EnableConfigurationProperties;
import org.springframework.context.annotation.Bean;

/// Makes an [HmacdClient] from the properties `hmacd.*`, unless the application has one of its own.
/// The client closes with the application context.
@AutoConfiguration
@EnableConfigurationProperties(HmacdProperties.class)
public class HmacdAutoConfiguration {
  @Bean
  @ConditionalOnMissingBean
  HmacdClient hmacdClient(HmacdProperties properties) {
    return ConfiguredClient.of(properties);
  }
}
