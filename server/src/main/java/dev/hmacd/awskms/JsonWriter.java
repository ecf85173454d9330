package dev.hmacd.awskms;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.util.ByteArrayBuilder;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.math.BigDecimal;
import java.time.Instant;

/// Writes the JSON of responses.
final class JsonWriter {
  private static final JsonFactory FACTORY = new JsonFactory();

  private JsonWriter() {}

  /// Writes the members of a JSON object.
  interface Members {
    void write(JsonGenerator json) throws IOException;
  }

  /// Encodes a JSON object in UTF-8.
  static byte[] object(Members members) {
    try (var bytes = new ByteArrayBuilder(256);
        JsonGenerator json = FACTORY.createGenerator(bytes)) {
      json.writeStartObject();
      members.write(json);
      json.writeEndObject();
      json.flush();
      return bytes.toByteArray();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /// Writes a time in the format of AWS: seconds of Unix time, with a fraction.
  static void time(JsonGenerator json, String name, Instant time) throws IOException {
    json.writeNumberField(name, BigDecimal.valueOf(time.toEpochMilli(), 3));
  }
}
