package dev.hmacd.file;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.MalformedInputException;
import java.nio.file.AccessDeniedException;
import java.nio.file.DirectoryNotEmptyException;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.FileSystemException;
import java.nio.file.FileSystemLoopException;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;

/// Error texts about files: never a path alone.
final class FileExceptionTest {
  private static final String FILE = "/etc/hmacd/pin";

  static Stream<Arguments> reasons() {
    return Stream.of(
        Arguments.of(new NoSuchFileException(FILE), "no such file or folder"),
        Arguments.of(new AccessDeniedException(FILE), "permission denied"),
        Arguments.of(new NotDirectoryException(FILE), "not a folder"),
        Arguments.of(new DirectoryNotEmptyException(FILE), "not empty"),
        Arguments.of(new FileAlreadyExistsException(FILE), "a file of this name exists"),
        Arguments.of(new MalformedInputException(1), "not UTF-8"),
        Arguments.of(new FileSystemLoopException(FILE), "FileSystemLoopException"),
        Arguments.of(
            new FileSystemException(FILE, null, "No space left on device"),
            "No space left on device"),
        Arguments.of(new IOException("Is a directory"), "Is a directory"),
        Arguments.of(new IOException(), "java.io.IOException"));
  }

  @ParameterizedTest
  @MethodSource("reasons")
  void reasonIsNoPath(IOException failure, String reason) {
    assertThat(FileException.reason(failure)).isEqualTo(reason);
    assertThat(FileException.unreadable("token.pin_file", Path.of(FILE), failure))
        .hasMessageStartingWith("token.pin_file: cannot read " + FILE + ": " + reason + "; ")
        .hasCause(failure);
  }

  @Test
  void refusalHasTheKey() {
    assertThat(FileException.refused("k", "others have permission w on f: chmod o-w it"))
        .hasMessage("k: others have permission w on f: chmod o-w it")
        .hasNoCause();
  }

  @Test
  void remedyFollowsTheReason() {
    Path file = Path.of(FILE);
    assertThat(FileException.unreadable("k", file, new NoSuchFileException(FILE)))
        .hasMessageEndingWith("; create the file, or correct the path");
    assertThat(FileException.unreadable("k", file, new AccessDeniedException(FILE)))
        .hasMessageEndingWith("; give the daemon's user read permission");
    assertThat(FileException.unreadable("k", file, new IOException("Is a directory")))
        .hasMessageEndingWith("; correct the file or the path");
  }
}
