package dev.hmacd.registry;

import dev.hmacd.file.FileException;
import java.io.IOException;
import java.nio.file.FileSystemException;
import java.sql.SQLException;
import java.util.Set;
import java.util.regex.Pattern;
import org.sqlite.SQLiteErrorCode;

/// Classifies failures to open the registry: permanent until an operator acts, or temporary. Has
/// the reasons and remedies for error texts.
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

  private static boolean hasCode(Exception failure, SQLiteErrorCode code) {
    return failure instanceof SQLException e && (e.getErrorCode() & CLASS) == code.code;
  }

  /// Whether an operator must act before a retry can succeed.
  static boolean is(Exception failure) {
    return switch (failure) {
      case SQLException e -> CODES.contains(e.getErrorCode() & CLASS);
      case FileSystemException e -> !MAY_PASS.matcher(String.valueOf(e.getReason())).find();
      case IOException e -> false;
      default -> false;
    };
  }

  /// The reason of a failure, for an error text.
  static String reason(Throwable failure) {
    return failure instanceof IOException e
        ? FileException.reason(e)
        : String.valueOf(failure.getMessage());
  }

  /// The remedy for a failure.
  static String remedy(Exception failure) {
    if (hasCode(failure, SQLiteErrorCode.SQLITE_CORRUPT)) {
      return "the registry file is damaged: restore the backup of the registry";
    }
    if (hasCode(failure, SQLiteErrorCode.SQLITE_BUSY)) {
      return "end the other program that uses the file";
    }
    if (!is(failure)) {
      return "examine the file system, and free disk space";
    }
    return "create the folder of registry.path, and give the daemon's user write permission to the"
        + " folder and the file";
  }
}
