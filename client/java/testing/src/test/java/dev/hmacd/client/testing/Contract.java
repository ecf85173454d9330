package dev.hmacd.client.testing;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.hmacd.client.ErrorReason;
import io.grpc.Status.Code;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.Map;
import java.util.Objects;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/// The comments of `error_reason.proto`: the status code of each reason, and whether a retry is
/// permitted.
final class Contract {
  private static final Pattern REASON =
      Pattern.compile("((?:  //.*\n)+)  ERROR_REASON_(\\w+) = [1-9]\\d*;");
  private static final Pattern CODE = Pattern.compile("  // ([A-Z_]+):");
  private static final Map<String, String> COMMENTS =
      REASON
          .matcher(text())
          .results()
          .collect(Collectors.toMap(found -> found.group(2), found -> found.group(1)));

  private Contract() {}

  static boolean hasReason(ErrorReason reason) {
    return COMMENTS.containsKey(reason.name());
  }

  static Code code(ErrorReason reason) {
    return of(
        reason,
        comment -> {
          Matcher code = CODE.matcher(comment);
          if (!code.lookingAt()) {
            throw new AssertionError("no status code: " + comment);
          }
          return Code.valueOf(code.group(1));
        });
  }

  static boolean permitsRetry(ErrorReason reason) {
    return of(reason, comment -> comment.contains("[retry]"));
  }

  private static <T> T of(ErrorReason reason, Function<String, T> read) {
    return read.apply(Objects.requireNonNull(COMMENTS.get(reason.name())));
  }

  private static String text() {
    try (InputStream in = Contract.class.getResourceAsStream("/hmacd/v1/error_reason.proto")) {
      return new String(Objects.requireNonNull(in).readAllBytes(), UTF_8);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
