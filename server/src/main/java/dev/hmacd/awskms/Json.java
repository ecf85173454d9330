package dev.hmacd.awskms;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.core.util.ByteArrayBuilder;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.math.BigDecimal;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.time.Instant;

/// Parsers and generators for the JSON of requests and responses: RFC 8259 in UTF-8, without
/// duplicate names, of bounded depth.
final class Json {
  /// Maximum nesting depth. No model of an operation has this depth.
  private static final int MAX_DEPTH = 32;

  private static final int MAX_NUMBER_CHARS = 64;
  private static final int MAX_NAME_CHARS = 1024;

  private static final JsonFactory FACTORY =
      JsonFactory.builder()
          .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
          // Names in requests must not fill the JVM's string table.
          .disable(JsonFactory.Feature.INTERN_FIELD_NAMES)
          .streamReadConstraints(
              StreamReadConstraints.builder()
                  .maxNestingDepth(MAX_DEPTH)
                  .maxNumberLength(MAX_NUMBER_CHARS)
                  .maxNameLength(MAX_NAME_CHARS)
                  .build())
          .build();

  private Json() {}

  /// Writes the members of an object.
  interface Writer {
    void write(JsonGenerator json) throws IOException;
  }

  /// Creates a parser for a text in UTF-8. The JSON library also accepts UTF-16, UTF-32 and invalid
  /// UTF-8, so this method checks the encoding.
  ///
  /// @throws AwsException if the text is not UTF-8
  static JsonParser parser(byte[] text) throws IOException {
    boolean plain = text.length >= 2 && text[0] > 0 && text[1] > 0; // RFC 4627, section 3; no BOM.
    if (!plain || !isUtf8(text)) {
      throw new AwsException(AwsError.serialization());
    }
    return FACTORY.createParser(text);
  }

  private static boolean isUtf8(byte[] text) {
    int all = 0;
    for (byte b : text) {
      all |= b;
    }
    if (all >= 0) {
      return true; // ASCII, like most texts.
    }
    try {
      var _ = StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(text));
      return true;
    } catch (CharacterCodingException e) {
      return false;
    }
  }

  /// Writes an object.
  static byte[] object(Writer members) {
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
