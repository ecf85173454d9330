package dev.hmacd.transport;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.OptionalLong;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/// The file descriptors of this process: their limit and their number, from Linux's `/proc`. The
/// limit and the number are empty on a system without `/proc`.
///
/// The management bean of the JVM has the same values. But it fails without a free descriptor,
/// which is when the values are needed most, and its classes would slow the start.
public final class FileDescriptors {
  /// Linux 6.2 and newer report the number of open descriptors as the size of this folder.
  private static final Path OPEN = Path.of("/proc/self/fd");

  private static final Path LIMITS = Path.of("/proc/self/limits");

  /// The row of RLIMIT_NOFILE: its name, the soft limit, the hard limit and the unit.
  private static final Pattern SOFT_LIMIT =
      Pattern.compile("(?m)^Max open files +(\\d{1,18}|unlimited) ");

  /// Read once, because a later read needs a free descriptor.
  private static final OptionalLong MAX = readMax();

  private FileDescriptors() {}

  private static OptionalLong readMax() {
    try {
      return softLimit(Files.readString(LIMITS));
    } catch (IOException e) {
      return OptionalLong.empty();
    }
  }

  /// The soft limit of descriptors.
  ///
  /// @param limits the text of `/proc/self/limits`
  static OptionalLong softLimit(String limits) {
    Matcher row = SOFT_LIMIT.matcher(limits);
    if (!row.find()) {
      return OptionalLong.empty();
    }
    String limit = row.group(1);
    return OptionalLong.of(limit.equals("unlimited") ? Long.MAX_VALUE : Long.parseLong(limit));
  }

  /// The maximum number of open descriptors (RLIMIT_NOFILE, the soft limit) when this class was
  /// loaded. The JVM raises its soft limit to the hard limit when it starts.
  public static OptionalLong max() {
    return MAX;
  }

  /// The number of open descriptors.
  ///
  /// On Linux before 6.2, this method lists them: some milliseconds for ten thousand. If no
  /// descriptor is free for the list, all are open, and the result is the maximum.
  public static OptionalLong open() {
    try {
      long size = Files.size(OPEN);
      if (size > 0) {
        return OptionalLong.of(size);
      }
      try (Stream<Path> entries = Files.list(OPEN)) {
        return OptionalLong.of(entries.count() - 1); // Without the descriptor of the list itself.
      }
    } catch (IOException | UncheckedIOException e) {
      return MAX;
    }
  }
}
