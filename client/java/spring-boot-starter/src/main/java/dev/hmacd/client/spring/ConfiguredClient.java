package dev.hmacd.client.spring;

import dev.hmacd.client.HmacdClient;
import dev.hmacd.client.HmacdClientBuilder;
import java.io.UncheckedIOException;
import java.nio.file.Path;
import java.util.List;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/// Builds a client from properties. The builder decides which values are valid.
final class ConfiguredClient {
  private static final String FILES = "hmacd.ca, hmacd.certificate or hmacd.private-key";

  private ConfiguredClient() {}

  /// @throws HmacdPropertyException if a property is missing or not usable
  static HmacdClient of(HmacdProperties properties, List<HmacdClientCustomizer> customizers) {
    if (properties.targets().isEmpty()) {
      throw new HmacdPropertyException(
          "The property hmacd.targets is not set.",
          "Set hmacd.targets to the daemons, separated by commas: host:port or"
              + " unix:/absolute/path.");
    }
    HmacdClientBuilder builder = HmacdClient.builder();
    use("hmacd.targets", () -> builder.target(properties.targets().toArray(String[]::new)));
    use("hmacd.timeout", () -> builder.deadlineAfter(properties.timeout()));
    use("hmacd.attempt-timeout", () -> builder.attemptTimeout(properties.attemptTimeout()));
    use("hmacd.max-message-bytes", () -> builder.maxMessageBytes(properties.maxMessageBytes()));
    use("hmacd.file-interval", () -> builder.fileInterval(properties.fileInterval()));
    if (!properties.targets().stream().allMatch(target -> target.startsWith("unix:"))) {
      Path ca = required("hmacd.ca", properties.ca());
      Path certificate = required("hmacd.certificate", properties.certificate());
      Path privateKey = required("hmacd.private-key", properties.privateKey());
      use(FILES, () -> builder.tls(ca, certificate, privateKey));
    }
    customizers.forEach(customizer -> customizer.customize(builder));
    return use(FILES, builder::build);
  }

  private static Path required(String property, @Nullable Path file) {
    if (file == null) {
      throw new HmacdPropertyException(
          "The property " + property + " is not set.",
          "Set " + property + " to a PEM file: a target host:port requires mutual TLS.");
    }
    return file;
  }

  /// Runs a step of the builder, whose exceptions name the value and the rule.
  private static <T> T use(String property, Supplier<T> step) {
    try {
      return step.get();
    } catch (IllegalArgumentException | UncheckedIOException e) {
      throw new HmacdPropertyException(
          "The property " + property + " is not usable: " + e.getMessage(),
          "Correct the value of " + property + ".",
          e);
    }
  }
}
