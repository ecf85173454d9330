package dev.hmacd.client.spring;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.lang.reflect.RecordComponent;
import java.util.Locale;
import java.util.Objects;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// The metadata of the properties, which IDEs show.
class MetadataTest {
  static Stream<String> properties() {
    return Stream.of(HmacdProperties.class.getRecordComponents())
        .map(RecordComponent::getName)
        .map(name -> name.replaceAll("[A-Z]", "-$0").toLowerCase(Locale.ROOT));
  }

  @ParameterizedTest
  @MethodSource("properties")
  void propertyHasATypeAndADescription(String property) throws IOException {
    assertThat(metadata())
        .containsPattern(
            "\"name\": \"hmacd\\."
                + property
                + "\",\\s+\"type\": \".+\",\\s+\"description\": \".+\"");
  }

  private static String metadata() throws IOException {
    try (var in =
        MetadataTest.class.getResourceAsStream("/META-INF/spring-configuration-metadata.json")) {
      return new String(Objects.requireNonNull(in).readAllBytes(), UTF_8);
    }
  }
}
