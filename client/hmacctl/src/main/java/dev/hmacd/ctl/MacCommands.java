package dev.hmacd.ctl;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.hmacd.client.HmacdClient;
import dev.hmacd.client.MacAlgorithm;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;

/// `generate-mac` and `verify-mac`.
final class MacCommands {
  // What the contract allows and one byte more, with which the daemon refuses it: it has the rule.
  private static final int MESSAGE_BYTES = 4096 + 1;
  private static final int MAC_BYTES = 6144 + 1;
  private static final String FILE_BYTES = "fileb://";

  private static final Option MESSAGE =
      Option.required(
          "--message",
          "TEXT",
          "The message, 1 to 4096 bytes: the text itself in UTF-8, fileb://PATH for the bytes of a file,"
              + " or - for standard input, all of it. AWS CLI v2 reads text here as base64; this does"
              + " not.");
  private static final Option MAC_ALGORITHM =
      Option.required("--mac-algorithm", "ALGORITHM", "The one of the key's spec:")
          .of(List.of("HMAC_SHA_224", "HMAC_SHA_256", "HMAC_SHA_384", "HMAC_SHA_512"));
  private static final Option MAC =
      Option.required(
          "--mac",
          "MAC",
          "The MAC: base64, hex: and hexadecimal digits, or fileb://PATH for the bytes of a file.");
  private static final Option DRY_RUN =
      Option.flag(
          "--dry-run",
          "Check everything and withhold the answer; exit code 8 says that it would succeed.");

  static final List<Command> ALL =
      List.of(
          new Command(
              "generate-mac",
              "Computes the MAC of a message in the HSM.",
              List.of(
                  KeyCommands.KEY_ID, MESSAGE, MAC_ALGORITHM, KeyCommands.GRANT_TOKENS, DRY_RUN),
              MacCommands::generate),
          new Command(
              "verify-mac",
              "Verifies that a MAC is that of a message; exit code 1 says that it is not.",
              List.of(
                  KeyCommands.KEY_ID,
                  MESSAGE,
                  MAC_ALGORITHM,
                  MAC,
                  KeyCommands.GRANT_TOKENS,
                  DRY_RUN),
              MacCommands::verify));

  private MacCommands() {}

  private static Optional<Value> generate(
      HmacdClient hmacd, Arguments arguments, Terminal terminal) {
    String keyId = arguments.get(KeyCommands.KEY_ID);
    byte[] message = message(arguments.get(MESSAGE), terminal);
    var algorithm = MacAlgorithm.valueOf(arguments.get(MAC_ALGORITHM));
    HmacdClient client = hmacd.withGrantTokens(arguments.all(KeyCommands.GRANT_TOKENS));
    if (arguments.has(DRY_RUN)) {
      client.dryRunGenerateMac(keyId, message, algorithm);
      throw new DryRunSucceeded();
    }
    return Optional.of(Answers.mac(client.generateMac(keyId, message, algorithm)));
  }

  private static Optional<Value> verify(HmacdClient hmacd, Arguments arguments, Terminal terminal) {
    String keyId = arguments.get(KeyCommands.KEY_ID);
    byte[] message = message(arguments.get(MESSAGE), terminal);
    var algorithm = MacAlgorithm.valueOf(arguments.get(MAC_ALGORITHM));
    byte[] mac = mac(arguments.get(MAC));
    HmacdClient client = hmacd.withGrantTokens(arguments.all(KeyCommands.GRANT_TOKENS));
    if (arguments.has(DRY_RUN)) {
      client.dryRunVerifyMac(keyId, message, algorithm, mac);
      throw new DryRunSucceeded();
    }
    return Optional.of(Answers.verification(client.verifyMac(keyId, message, algorithm, mac)));
  }

  private static byte[] message(String message, Terminal terminal) {
    if (message.equals("-")) {
      return read(terminal.in(), MESSAGE_BYTES);
    }
    if (message.startsWith(FILE_BYTES)) {
      return file(message, MESSAGE_BYTES);
    }
    if (message.startsWith("file://")) { // else a MAC of the path, taken for one of the file
      throw new UsageException("--message takes the bytes of a file as fileb://PATH");
    }
    // The JVM has decoded the argument; where that was not from UTF-8, this would be another
    // message.
    boolean utf8 = System.getProperty("sun.jnu.encoding", "").equalsIgnoreCase("UTF-8");
    if (message.contains("\ufffd") || (!utf8 && !message.matches("[\\x00-\\x7f&&[^?]]*"))) {
      throw new UsageException(
          "--message is not UTF-8 as it was given; use a UTF-8 locale, fileb://PATH or -");
    }
    return message.getBytes(UTF_8);
  }

  private static byte[] mac(String mac) {
    if (mac.startsWith(FILE_BYTES)) {
      return file(mac, MAC_BYTES);
    }
    try {
      return mac.startsWith("hex:") // no base64, which has no colon
          ? HexFormat.of().parseHex(mac, "hex:".length(), mac.length())
          : Base64.getDecoder().decode(mac);
    } catch (IllegalArgumentException e) {
      throw new UsageException("--mac takes base64, hex: and hexadecimal digits, or fileb://PATH");
    }
  }

  private static byte[] file(String fileb, int maxBytes) {
    try (InputStream file = Files.newInputStream(Path.of(fileb.substring(FILE_BYTES.length())))) {
      return read(file, maxBytes);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static byte[] read(InputStream in, int maxBytes) {
    try {
      return in.readNBytes(maxBytes);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
