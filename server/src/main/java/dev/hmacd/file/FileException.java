package dev.hmacd.file;

import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.AccessDeniedException;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// Failure to use a file that the configuration or the command line names. The message has the
/// configuration key or the option, the path, the reason and the remedy.
public final class FileException extends IOException {
  private static final long serialVersionUID = 1;

  private final transient List<String> problems;

  private FileException(String message, @Nullable Throwable cause) {
    this(List.of(message), cause);
  }

  private FileException(List<String> problems, @Nullable Throwable cause) {
    super(String.join("\n", problems), cause);
    this.problems = List.copyOf(problems);
  }

  /// The failures of several files, as one failure.
  ///
  /// @param failures one or more failures
  static FileException all(List<FileException> failures) {
    return failures.size() == 1
        ? failures.getFirst()
        : new FileException(
            failures.stream().flatMap(each -> each.problems().stream()).toList(),
            failures.getFirst());
  }

  /// The failure to read a file.
  ///
  /// @param key the configuration key or the option that names the file
  public static FileException unreadable(String key, Path file, IOException cause) {
    String remedy =
        switch (cause) {
          case NoSuchFileException _ -> "create the file, or correct the path";
          case AccessDeniedException _ -> "give the daemon's user read permission";
          default -> "correct the file or the path";
        };
    return new FileException(
        key + ": cannot read " + file + ": " + reason(cause) + "; " + remedy, cause);
  }

  /// The failure of a file with permissions that are too wide.
  ///
  /// @param key the configuration key or the option that names the file
  /// @param refusal the text of [FilePermissions#refusal], which has the path and the remedy
  public static FileException refused(String key, String refusal) {
    return new FileException(key + ": " + refusal, null);
  }

  /// The failure of a file with unusable content.
  ///
  /// @param key the configuration key or the option that names the file
  /// @param fault the fault and the remedy, as the end of a sentence about the file
  public static FileException unusable(
      String key, Path file, String fault, @Nullable Throwable cause) {
    return new FileException(key + ": " + file + " " + fault, cause);
  }

  /// The failure of several files together.
  ///
  /// @param section the section of the configuration that names the files
  /// @param fault the fault and the remedy
  public static FileException ofSection(String section, String fault, Throwable cause) {
    return new FileException(section + ": " + fault, cause);
  }

  /// The messages of all failures. Each message stands alone.
  public List<String> problems() {
    return problems;
  }

  /// The reason of an error, for an error text. If the type of an exception of the JDK is the
  /// reason, its message is only the path.
  public static String reason(IOException failure) {
    return switch (failure) {
      case NoSuchFileException _ -> "no such file or folder";
      case AccessDeniedException _ -> "permission denied";
      case NotDirectoryException _ -> "not a folder";
      case DirectoryNotEmptyException _ -> "not empty";
      case FileAlreadyExistsException _ -> "a file of this name exists";
      case CharacterCodingException _ -> "not UTF-8";
      case FileSystemException known when known.getReason() != null ->
          String.valueOf(known.getReason());
      case FileSystemException _ -> failure.getClass().getSimpleName();
      default -> failure.getMessage() == null ? failure.toString() : failure.getMessage();
    };
  }
}
