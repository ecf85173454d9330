package dev.hmacd.jca;

import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;

/// A MAC test of Project Wycheproof (`mac_test_schema_v1.json`), of those for the daemon.
///
/// @param key a name for the key
/// @param secretHex the HMAC key
/// @param macHex the full MAC or its beginning
/// @param valid whether this is the MAC of the message
record MacVector(String key, String secretHex, String messageHex, String macHex, boolean valid) {
  private static final Path FOLDER =
      Path.of("../../../server/src/test/resources/dev/hmacd/vectors/wycheproof");

  static List<MacVector> read(HmacName algorithm) {
    String hash = algorithm.name().replace("_", "").toLowerCase(Locale.ROOT);
    JsonObject root;
    try {
      root =
          JsonParser.parseString(Files.readString(FOLDER.resolve("hmac_" + hash + "_test.json")))
              .getAsJsonObject();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    List<MacVector> vectors = new ArrayList<>();
    for (JsonElement group : root.getAsJsonArray("testGroups")) {
      for (JsonElement each : group.getAsJsonObject().getAsJsonArray("tests")) {
        JsonObject test = each.getAsJsonObject();
        vectors.add(
            new MacVector(
                algorithm + "-" + test.get("tcId").getAsInt(),
                test.get("key").getAsString(),
                test.get("msg").getAsString(),
                test.get("tag").getAsString(),
                test.get("result").getAsString().equals("valid")));
      }
    }
    if (vectors.size() != root.get("numberOfTests").getAsInt()) {
      throw new IllegalArgumentException("the file has another number of tests");
    }
    return vectors;
  }

  byte[] secret() {
    return HexFormat.of().parseHex(secretHex);
  }

  byte[] message() {
    return HexFormat.of().parseHex(messageHex);
  }

  byte[] mac() {
    return HexFormat.of().parseHex(macHex);
  }
}
