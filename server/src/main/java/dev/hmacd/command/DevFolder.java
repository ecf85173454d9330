package dev.hmacd.command;

import dev.hmacd.ExitCode;
import dev.hmacd.StartException;
import dev.hmacd.config.Config;
import java.io.IOException;
import java.io.InputStream;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Arrays;
import java.util.Set;

/// The folder of `hmacd dev`, which one process at a time can use.
final class DevFolder {
  private static final FileAttribute<?> OWNER_ONLY_FOLDER =
      PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------"));
  private static final FileAttribute<?> OWNER_ONLY_FILE =
      PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------"));

  /// First words of the env file, by which the next start recognises the file as its own.
  static final String ENV_START = "# Source this file: ";

  /// First words of the configuration file, by which the next start recognises the file as its own.
  private static final String CONFIG_START = "# Written by hmacd dev ";

  private static final String SOCKET = "hmacd.sock";

  private final Path dir;

  DevFolder(Path dir) {
    this.dir = dir.toAbsolutePath().normalize();
  }

  Path file(String name) {
    return dir.resolve(name);
  }

  Path config() {
    return file("hmacd.yaml");
  }

  Path env() {
    return file("env");
  }

  /// Creates a missing folder with mode 0700, locks the folder for this process, and writes the
  /// process id.
  void prepare() throws IOException, StartException {
    Files.createDirectories(dir, OWNER_ONLY_FOLDER);
    requireOwn();
    // The lock is held until the process ends.
    var lock =
        FileChannel.open(
            file("hmacd.lock"),
            Set.of(StandardOpenOption.CREATE, StandardOpenOption.WRITE),
            OWNER_ONLY_FILE);
    if (lock.tryLock() == null) {
      throw new StartException(
          "another hmacd dev runs in " + dir + "; stop it, or choose another folder with --dir",
          ExitCode.TEMPORARY);
    }
    requireWritten(env(), ENV_START);
    requireWritten(config(), CONFIG_START);
    Files.deleteIfExists(env());
    write("hmacd.pid", ProcessHandle.current().pid() + "\n");
  }

  /// Refuses to replace a file that another program has written, such as `env` of a Python project.
  private static void requireWritten(Path file, String start) throws IOException, StartException {
    if (!Files.exists(file, LinkOption.NOFOLLOW_LINKS)) {
      return;
    }
    if (Files.isRegularFile(file, LinkOption.NOFOLLOW_LINKS)) {
      try (InputStream in = Files.newInputStream(file)) {
        byte[] expected = start.getBytes(StandardCharsets.UTF_8);
        if (Arrays.equals(in.readNBytes(expected.length), expected)) {
          return;
        }
      }
    }
    throw new StartException(
        file + " was not written by hmacd dev: remove it, or choose another folder with --dir",
        ExitCode.CONFIG);
  }

  /// Refuses a folder in which another user can write: that user could choose the daemon's programs
  /// and callers.
  private void requireOwn() throws IOException, StartException {
    if (!isOwn(dir.toRealPath())) {
      throw new StartException(
          dir
              + " must belong to the user who runs hmacd dev, and nobody else may write in it:"
              + " chmod go-w it, or choose another folder with --dir",
          ExitCode.CONFIG);
    }
  }

  /// Whether a path is a folder of this user in which nobody else can write. A symbolic link is
  /// none.
  private static boolean isOwn(Path folder) throws IOException {
    if (!Files.isDirectory(folder, LinkOption.NOFOLLOW_LINKS)) {
      return false;
    }
    var permissions = Files.getPosixFilePermissions(folder, LinkOption.NOFOLLOW_LINKS);
    return Files.getAttribute(folder, "unix:uid", LinkOption.NOFOLLOW_LINKS).equals(uid())
        && !permissions.contains(PosixFilePermission.GROUP_WRITE)
        && !permissions.contains(PosixFilePermission.OTHERS_WRITE);
  }

  /// The user id of this process.
  static Object uid() throws IOException {
    return Files.getAttribute(Path.of("/proc/self"), "unix:uid");
  }

  /// Writes a file with mode 0600. An existing file is replaced atomically.
  void write(String name, String text) throws IOException {
    Path fresh = file(name + ".new");
    Files.deleteIfExists(fresh);
    Files.createFile(fresh, OWNER_ONLY_FILE);
    Files.writeString(fresh, text, StandardCharsets.UTF_8);
    adopt(name);
  }

  /// Renames the complete file `NAME.new` to `NAME`, and so replaces an existing file atomically.
  void adopt(String name) throws IOException {
    Files.move(file(name + ".new"), file(name), StandardCopyOption.ATOMIC_MOVE);
  }

  /// Path of the Unix socket: in the folder, or in a temporary folder if the path in the folder is
  /// too long for the kernel.
  Path socket() throws IOException {
    Path here = file(SOCKET);
    if (here.toString().getBytes(StandardCharsets.UTF_8).length
        <= Config.UnixSocket.MAX_PATH_BYTES) {
      return here;
    }
    return temporaryFolder().resolve(SOCKET);
  }

  /// The temporary folder behind the link `run`. An earlier run has created it, or this method
  /// creates it. The folder of an earlier run may be gone, and another user may have created a
  /// folder with its name.
  private Path temporaryFolder() throws IOException {
    Path link = file("run");
    if (Files.isSymbolicLink(link)) {
      Path target = dir.resolve(Files.readSymbolicLink(link));
      if (isOwn(target)) {
        return target;
      }
      Files.delete(link);
    }
    Path fresh = Files.createTempDirectory("hmacd"); // Mode 0700.
    Files.createSymbolicLink(link, fresh);
    return fresh;
  }
}
