package dev.hmacd.transport;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Set;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// The mode of a Unix socket. A writer of its folder can replace the temporary folder.
final class UnixSocketFileTest {
  private static final Set<PosixFilePermission> MODE = PosixFilePermissions.fromString("rw-rw-rw-");

  private static final Set<PosixFilePermission> OWNER_ONLY =
      PosixFilePermissions.fromString("rw-------");

  @TempDir private Path folder;
  private Path path;
  private UnixSocketFile file;

  @BeforeEach
  void prepare() throws IOException {
    path = folder.resolve("socket");
    file = new UnixSocketFile("grpc.unix_socket.path", path);
    file.prepare();
  }

  @Test
  void socketGetsItsMode() throws IOException {
    try (var socket = ServerSocketChannel.open(StandardProtocolFamily.UNIX)) {
      socket.bind(UnixDomainSocketAddress.of(file.toBind()));
      file.publish(MODE);
      assertThat(Files.getPosixFilePermissions(path)).isEqualTo(MODE);
      file.remove();
      assertThat(path).doesNotExist();
    }
  }

  private Path otherFile(Path at) throws IOException {
    Files.writeString(at, "precious");
    return Files.setPosixFilePermissions(at, OWNER_ONLY);
  }

  private void assertRefused(Path other, String... texts) throws IOException {
    assertThatThrownBy(() -> file.publish(MODE))
        .isInstanceOf(ListenException.class)
        .hasMessageContaining("grpc.unix_socket.path")
        .hasMessageContainingAll(texts);
    assertThat(Files.getPosixFilePermissions(other)).isEqualTo(OWNER_ONLY);
    assertThat(path).doesNotExist();
  }

  @Test
  void linkInPlaceOfTheSocketIsNotFollowed() throws IOException {
    Path other = otherFile(folder.resolve("other"));
    Files.createSymbolicLink(file.toBind(), other);
    assertRefused(other, file.toBind().toString(), "a symbolic link");
  }

  @Test
  void linkInPlaceOfTheTemporaryFolderIsNotFollowed() throws IOException {
    Path elsewhere = Files.createDirectory(folder.resolve("elsewhere"));
    Path other = otherFile(elsewhere.resolve("s"));
    Path temporary = folder.resolve("socket.new");
    Files.delete(temporary);
    Files.createSymbolicLink(temporary, elsewhere);
    assertRefused(other, temporary.toString(), "a symbolic link");
  }

  @Test
  void otherFileInPlaceOfTheSocketKeepsItsMode() throws IOException {
    Path other = otherFile(file.toBind());
    assertRefused(other, file.toBind().toString(), "a regular file");
  }
}
