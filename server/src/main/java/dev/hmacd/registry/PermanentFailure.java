package dev.hmacd.registry;

import java.io.IOException;
import java.nio.file.FileSystemException;
import java.sql.SQLException;
import java.util.Set;
import java.util.regex.Pattern;
import org.sqlite.SQLiteErrorCode;

/// Classifies failures to open the registry: permanent until an operator acts, or temporary.
final class PermanentFailure {
  /// Mask of the primary result code, the low byte of an SQLite error code.
  private static final int CLASS = 0xff;

  private static final Set<Integer> CODES =
      Set.of(
          SQLiteErrorCode.SQLITE_PERM.code,
          SQLiteErrorCode.SQLITE_READONLY.code,
          SQLiteErrorCode.SQLITE_CORRUPT.code,
          SQLiteErrorCode.SQLITE_CANTOPEN.code,
          SQLiteErrorCode.SQLITE_AUTH.code);

  /// Messages of temporary errors without an exception type in the JDK: ENOSPC, EDQUOT, EMFILE,
  /// ENFILE, EIO and EINTR.
  private static final Pattern MAY_PASS =
      Pattern.compile(
          "No space left|quota exceeded|Too many open files|Input/output error|Interrupted");

  private PermanentFailure() {}

  /// Whether an operator must act before a retry can succeed.
  static boolean is(Exception failure) {
    return switch (failure) {
      case SQLException e -> CODES.contains(e.getErrorCode() & CLASS);
      case FileSystemException e -> !MAY_PASS.matcher(String.valueOf(e.getReason())).find();
      case IOException e -> false;
      default -> false;
    };
  }

  /// The remedy for a permanent failure.
  static String remedy(Exception failure) {
    if (failure instanceof SQLException e
        && (e.getErrorCode() & CLASS) == SQLiteErrorCode.SQLITE_CORRUPT.code) {
      return "the registry file is damaged: restore the backup of the registry";
    }
    return "create the folder of registry.path, and give the daemon's user write permission to the"
        + " folder and the file";
  }
}
