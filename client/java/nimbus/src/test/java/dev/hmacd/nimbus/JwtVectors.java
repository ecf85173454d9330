package dev.hmacd.nimbus;

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

/// The JSON Web Tokens of the vectors for all languages, in `client/vectors`.
///
/// @param secretHex the HMAC key
/// @param right tokens of the claims of this test
/// @param accepted other tokens of these claims
record JwtVectors(String secretHex, List<Token> right, List<Token> wrong, List<Token> accepted) {
  /// @param why what differs from a right token; empty if it is right
  /// @param alg the algorithm of the key `k1`
  record Token(String why, String alg, String text) {
    @Override
    public String toString() {
      return alg + " " + why;
    }
  }

  static JwtVectors read() {
    JsonObject root;
    try {
      root =
          JsonParser.parseString(Files.readString(Path.of("../../vectors/vectors.json")))
              .getAsJsonObject();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    JsonObject jwt = root.getAsJsonObject("jwt");
    return new JwtVectors(
        root.get("key").getAsString(),
        tokens(jwt, "right"),
        tokens(jwt, "wrong"),
        tokens(jwt, "accepted"));
  }

  byte[] secret() {
    return HexFormat.of().parseHex(secretHex);
  }

  private static List<Token> tokens(JsonObject jwt, String name) {
    List<Token> tokens = new ArrayList<>();
    for (JsonElement each : jwt.getAsJsonArray(name)) {
      JsonObject token = each.getAsJsonObject();
      tokens.add(
          new Token(
              token.has("why") ? token.get("why").getAsString() : "",
              token.get("alg").getAsString(),
              token.get("token").getAsString()));
    }
    return List.copyOf(tokens);
  }
}
