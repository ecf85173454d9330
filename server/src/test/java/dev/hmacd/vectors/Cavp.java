package dev.hmacd.vectors;

import dev.hmacd.key.MacAlgorithm;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/// Reads `HMAC.rsp` of NIST's Cryptographic Algorithm Validation Program (CAVS 11.0). A section
/// starts with `[L=n]`, the length of the hash in bytes. A case has lines of `name = value`, the
/// last of `Mac`. Cases of SHA-1 (L=20) are only counted, because hmacd does not serve SHA-1.
///
/// @param sha1 number of cases with L=20
record Cavp(int sha1, List<MacVector> cases) {
  private static final Map<String, MacAlgorithm> SERVED =
      Map.of(
          "28", MacAlgorithm.HMAC_SHA_224,
          "32", MacAlgorithm.HMAC_SHA_256,
          "48", MacAlgorithm.HMAC_SHA_384,
          "64", MacAlgorithm.HMAC_SHA_512);

  static Cavp read(Path file) {
    List<String> lines;
    try {
      lines = Files.readAllLines(file);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    int sha1 = 0;
    List<MacVector> cases = new ArrayList<>();
    String section = "";
    Map<String, String> fields = new HashMap<>();
    for (String line : lines.stream().map(String::strip).toList()) {
      if (line.startsWith("[L=")) {
        section = line.substring("[L=".length(), line.length() - 1);
      } else if (line.contains(" = ")) {
        String[] field = line.split(" = ", 2);
        fields.put(field[0], field[1]);
        if (field[0].equals("Mac")) {
          MacAlgorithm algorithm = SERVED.get(section);
          if (algorithm != null) {
            cases.add(vector(algorithm, section, fields));
          } else if (section.equals("20")) {
            sha1++;
          } else {
            throw new IllegalArgumentException("unknown hash length L=" + section);
          }
          fields.clear();
        }
      } else if (!line.isEmpty() && !line.startsWith("#")) {
        throw new IllegalArgumentException("neither comment, section nor field: " + line);
      }
    }
    return new Cavp(sha1, cases);
  }

  private static MacVector vector(
      MacAlgorithm algorithm, String section, Map<String, String> fields) {
    var vector =
        new MacVector(
            "HMAC.rsp L=" + section + " Count=" + text(fields, "Count"),
            algorithm,
            text(fields, "Key"),
            text(fields, "Msg"),
            text(fields, "Mac"),
            true);
    if (vector.key().length != Integer.parseInt(text(fields, "Klen"))
        || vector.mac().length != Integer.parseInt(text(fields, "Tlen"))) {
      throw new IllegalArgumentException("sizes do not match: " + vector);
    }
    return vector;
  }

  private static String text(Map<String, String> fields, String name) {
    String value = fields.get(name);
    if (value == null) {
      throw new IllegalArgumentException("no " + name + " in " + fields);
    }
    return value;
  }
}
