package dev.hmacd.json;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParseException;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.StreamReadConstraints;
import com.fasterxml.jackson.core.StreamReadFeature;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;

/// Creates parsers for JSON texts (RFC 8259) in UTF-8, without duplicate names, of bounded depth.
/// The parsers refuse a text that two strict parsers could read differently.
///
/// This class is thread-safe, but its parsers are not.
public final class StrictJson {
  /// Maximum depth of nested objects and arrays.
  private static final int MAX_DEPTH = 32;

  /// Maximum length of a number, in characters.
  private static final int MAX_NUMBER_CHARS = 64;

  /// Maximum length of a member name, in characters.
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

  private StrictJson() {}

  /// Creates a parser, whose methods throw an [IOException] if the JSON text violates a rule of
  /// this class. The caller must also check that the text ends after its last value.
  ///
  /// @throws JsonParseException if the text is not UTF-8: the library alone would also accept
  ///   UTF-16, UTF-32 and invalid UTF-8
  public static JsonParser parser(byte[] text) throws IOException {
    boolean plain = text.length >= 2 && text[0] > 0 && text[1] > 0; // RFC 4627, section 3; no BOM.
    if (!plain || !isUtf8(text)) {
      throw new JsonParseException(null, "the text is not UTF-8");
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
}
