package dev.hmacd.ctl;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.hmacd.client.ErrorReason;
import dev.hmacd.client.HmacdClient;
import dev.hmacd.client.HmacdException;
import dev.hmacd.client.MacAlgorithm;
import dev.hmacd.client.MessageTooLongException;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;

/// The commands `generate-mac` and `verify-mac`.
final class MacCommands {
  /// Maximum of the daemon's setting `max_message_bytes`: only the daemon has the limit.
  static final int MAX_MESSAGE_BYTES = 1 << 20;

  // One byte more, so that longer input is refused.
  private static final int MESSAGE_BYTES = MAX_MESSAGE_BYTES + 1;
  private static final int MAC_BYTES = 6144 + 1;
  private static final String FILE_BYTES = "fileb://";

  private static final Option MESSAGE =
      Option.required(
          "--message",
          "TEXT",
          "The message, 1 byte or more: text in UTF-8, fileb://PATH for the bytes of a file, or -"
              + " for all of standard input. AWS CLI v2 reads text here as base64. hmacctl does"
              + " not.");
  private static final Option MAC_ALGORITHM =
      Option.required("--mac-algorithm", "ALGORITHM", "The algorithm of the key's spec:")
          .of(List.of("HMAC_SHA_224", "HMAC_SHA_256", "HMAC_SHA_384", "HMAC_SHA_512"));
  private static final Option MAC =
      Option.required(
          "--mac",
          "MAC",
          "The MAC: base64, hex: with hexadecimal digits, or fileb://PATH for a file's bytes.");
  private static final Option DRY_RUN =
      Option.flag(
          "--dry-run",
          "Executes all steps and withholds the answer. Exit code 8: the request would succeed.");

  static final List<Command> ALL =
      List.of(
          new Command(
              "generate-mac",
              "Computes the MAC of a message in the HSM.",
              List.of(
                  KeyCommands.KEY_ID, MESSAGE, MAC_ALGORITHM, KeyCommands.GRANT_TOKENS, DRY_RUN),
              Examples::mac,
              MacCommands::generate),
          new Command(
              "verify-mac",
              "Verifies the MAC of a message. Exit code 1: the MAC does not match.",
              List.of(
                  KeyCommands.KEY_ID,
                  MESSAGE,
                  MAC_ALGORITHM,
                  MAC,
                  KeyCommands.GRANT_TOKENS,
                  DRY_RUN),
              Examples::verification,
              MacCommands::verify));

  private MacCommands() {}

  private static Optional<Value> generate(
      HmacdClient hmacd, Arguments arguments, Terminal terminal) {
    String keyId = arguments.get(KeyCommands.KEY_ID);
    byte[] message = message(arguments.get(MESSAGE), terminal);
    var algorithm = MacAlgorithm.valueOf(arguments.get(MAC_ALGORITHM));
    HmacdClient client = hmacd.withGrantTokens(arguments.all(KeyCommands.GRANT_TOKENS));
    try {
      if (arguments.has(DRY_RUN)) {
        client.dryRunGenerateMac(keyId, message, algorithm);
        throw new DryRunSucceeded();
      }
      return Optional.of(Answers.mac(client.generateMac(keyId, message, algorithm)));
    } catch (HmacdException e) {
      throw explained(e);
    }
  }

  private static Optional<Value> verify(HmacdClient hmacd, Arguments arguments, Terminal terminal) {
    String keyId = arguments.get(KeyCommands.KEY_ID);
    byte[] message = message(arguments.get(MESSAGE), terminal);
    var algorithm = MacAlgorithm.valueOf(arguments.get(MAC_ALGORITHM));
    byte[] mac = mac(arguments.get(MAC), algorithm);
    HmacdClient client = hmacd.withGrantTokens(arguments.all(KeyCommands.GRANT_TOKENS));
    try {
      if (arguments.has(DRY_RUN)) {
        client.dryRunVerifyMac(keyId, message, algorithm, mac);
        throw new DryRunSucceeded();
      }
      return Optional.of(Answers.verification(client.verifyMac(keyId, message, algorithm, mac)));
    } catch (HmacdException e) {
      throw e.reason() == ErrorReason.MESSAGE_TOO_LONG
          ? explained(e)
          : MacLength.explained(e, arguments.get(MAC), mac, algorithm);
    }
  }

  /// Explains the refusal of a message of [#MESSAGE_BYTES]. hmacctl reads at most this number of
  /// bytes, so the text of the client may have the wrong length.
  private static RuntimeException explained(HmacdException failure) {
    return failure instanceof MessageTooLongException tooLong
            && tooLong.reason() == ErrorReason.MESSAGE_TOO_LONG
        ? new CommandException(
            ExitCode.USAGE,
            tooLong.reason() + ": --message has more than " + tooLong.limit() + " bytes",
            Advice.SHORTER_MESSAGE)
        : failure;
  }

  private static byte[] message(String message, Terminal terminal) {
    if (message.equals("-")) {
      return read(terminal.in(), MESSAGE_BYTES);
    }
    if (message.startsWith(FILE_BYTES)) {
      return file(message, MESSAGE_BYTES);
    }
    if (message.startsWith("file://")) { // The text of the URL is not the intended message.
      throw new UsageException("--message: use fileb://PATH for the bytes of a file");
    }
    // The JVM has decoded the argument. If the JVM's encoding is not UTF-8, the bytes of the
    // message would differ from the argument.
    boolean utf8 = System.getProperty("sun.jnu.encoding", "").equalsIgnoreCase("UTF-8");
    if (message.contains("\ufffd") || (!utf8 && !message.matches("[\\x00-\\x7f&&[^?]]*"))) {
      throw new UsageException("--message is not UTF-8: use a UTF-8 locale, fileb://PATH or -");
    }
    return message.getBytes(UTF_8);
  }

  private static byte[] mac(String mac, MacAlgorithm algorithm) {
    if (mac.startsWith(FILE_BYTES)) {
      return file(mac, MAC_BYTES);
    }
    // Decoded as base64, hexadecimal digits give other bytes: a correct MAC would be reported as
    // wrong.
    if (MacLength.isHex(mac, algorithm)) {
      throw new UsageException("--mac has hexadecimal digits: add the prefix hex:");
    }
    try {
      return mac.startsWith("hex:") // Base64 has no colon.
          ? HexFormat.of().parseHex(mac, "hex:".length(), mac.length())
          : base64(mac);
    } catch (IllegalArgumentException e) {
      throw new UsageException(
          "--mac must be base64, hex: with hexadecimal digits, or fileb://PATH");
    }
  }

  /// Decodes canonical base64. The JDK's decoder ignores the bits after the last byte, so several
  /// base64 texts would decode to the same MAC.
  private static byte[] base64(String text) {
    byte[] bytes = Base64.getDecoder().decode(text);
    if (!Base64.getEncoder().encodeToString(bytes).startsWith(text)) {
      throw new IllegalArgumentException("not canonical base64");
    }
    return bytes;
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
