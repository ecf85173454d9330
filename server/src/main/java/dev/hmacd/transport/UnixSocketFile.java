package dev.hmacd.transport;

import dev.hmacd.file.FileException;
import io.netty.channel.epoll.Epoll;
import java.io.IOException;
import java.net.ConnectException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// The file of the Unix socket on which the daemon listens. This class removes only sockets, and no
/// other file at the path.
///
/// The daemon binds the socket in a new folder of mode 0700, sets the mode of the socket, and
/// creates a hard link at the configured path (link(2)). So no other user can connect before the
/// mode is set, whatever the umask is, and no other file at the path is replaced. At the close,
/// Netty removes only the file in the folder.
public final class UnixSocketFile {
  private static final Logger log = LoggerFactory.getLogger(UnixSocketFile.class);

  /// Mask of the file type in `st_mode` (inode(7)).
  private static final int TYPE_MASK = 0xf000;

  private static final int SOCKET = 0xc000;

  private static final int FOLDER = 0x4000;

  /// Names of the other file types in `st_mode`, for error texts.
  private static final Map<Integer, String> OTHER_TYPES =
      Map.of(
          0x1000,
          "a FIFO",
          0x2000,
          "a character device",
          FOLDER,
          "a folder",
          0x6000,
          "a block device",
          0x8000,
          "a regular file",
          0xa000,
          "a symbolic link");

  private static final FileAttribute<?> OWNER_ONLY_FOLDER =
      PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rwx------"));

  /// `Config.UnixSocket.MAX_PATH_BYTES` leaves room for this suffix and the name in the folder.
  private static final String FOLDER_SUFFIX = ".new";

  private static final String NAME_IN_FOLDER = "s";

  private final String key;
  private final Path path;
  private final Path folder;
  private final Path bound;

  /// The [#identity] of the daemon's own socket file; null before [#publish].
  private @Nullable String own;

  /// @param key the configuration key of the path, for error texts
  public UnixSocketFile(String key, Path path) {
    this.key = key;
    this.path = path;
    this.folder = path.resolveSibling(path.getFileName() + FOLDER_SUFFIX);
    this.bound = folder.resolve(NAME_IN_FOLDER);
  }

  /// The temporary path, to which the server must bind.
  public Path toBind() {
    return bound;
  }

  /// Removes the files of a daemon that crashed, and creates the folder of [#toBind].
  ///
  /// @throws ListenException if another process listens on the socket, if another file is at a path
  ///   of this class, or if this machine has no epoll
  public void prepare() throws ListenException {
    if (!EventLoops.isEpoll()) {
      throw ListenException.unusable(
          key,
          path,
          "a Unix socket needs epoll, which this machine does not have; remove the Unix socket",
          Epoll.unavailabilityCause());
    }
    removeStale(path);
    removeStaleFolder();
    try {
      Files.createDirectory(folder, OWNER_ONLY_FOLDER);
    } catch (IOException e) {
      throw ListenException.unusable(
          key,
          path,
          "cannot create the folder "
              + folder
              + ": "
              + FileException.reason(e)
              + (e instanceof NoSuchFileException
                  ? "; create the folder "
                  : "; give the daemon's user write permission to the folder ")
              + folder.getParent()
              + ", or configure another path",
          e);
    }
  }

  /// Tests whether [#prepare] succeeds, and leaves no folder.
  ///
  /// @throws ListenException as [#prepare]
  public void test() throws ListenException {
    prepare();
    try {
      Files.delete(folder);
    } catch (IOException e) {
      throw notRemoved(e);
    }
  }

  private ListenException notRemoved(IOException e) {
    return ListenException.unusable(
        key,
        path,
        "the old folder "
            + folder
            + " cannot be removed: "
            + FileException.reason(e)
            + "; remove it, or configure another path",
        e);
  }

  private void removeStaleFolder() throws ListenException {
    try {
      int type = type(folder);
      if (type != FOLDER) {
        throw occupied(folder, type);
      }
      removeStale(bound);
      Files.delete(folder);
    } catch (NoSuchFileException e) {
      // The path of the folder is free.
    } catch (ListenException e) {
      throw e;
    } catch (IOException e) {
      throw notRemoved(e);
    }
  }

  private ListenException occupied(Path file, int type) {
    String found =
        type == SOCKET ? "a socket" : OTHER_TYPES.getOrDefault(type, "a file that is not a socket");
    return ListenException.unusable(
        key,
        file,
        "the path exists and is " + found + "; remove the file, or configure another path",
        null);
  }

  private void removeStale(Path file) throws ListenException {
    try {
      int type = type(file);
      if (type != SOCKET) {
        throw occupied(file, type);
      }
      if (isListenedOn(file)) {
        throw ListenException.taken(key, file);
      }
      Files.delete(file);
    } catch (NoSuchFileException e) {
      // The path is free, or its folder is missing. Without the folder, [#prepare] fails.
    } catch (ListenException e) {
      throw e;
    } catch (IOException e) {
      throw ListenException.unusable(
          key,
          file,
          "the existing socket cannot be tested or removed: "
              + FileException.reason(e)
              + "; remove it, or configure another path",
          e);
    }
  }

  /// Whether a process listens on the socket. Only a socket without a listener refuses a
  /// connection. A connection is pending if the process is slow to accept.
  private static boolean isListenedOn(Path path) throws IOException {
    try (SocketChannel probe = SocketChannel.open(StandardProtocolFamily.UNIX)) {
      probe.configureBlocking(false);
      probe.connect(UnixDomainSocketAddress.of(path));
      return true;
    } catch (ConnectException e) {
      return false;
    }
  }

  /// Sets the mode of the socket at [#toBind], and moves the socket to the configured path.
  ///
  /// A writer of the folder above can replace the temporary folder. So another file, such as a
  /// symbolic link, is refused before its mode is changed. A replacement after this test is not
  /// detected: the JDK opens a file to set its mode without following links, and a socket cannot be
  /// opened (ENXIO). A configuration with such a folder has a warning.
  ///
  /// @param mode file mode, which determines the users that may connect
  /// @throws ListenException if the file at [#toBind] is not a socket, or cannot be moved
  public void publish(Set<PosixFilePermission> mode) throws ListenException {
    try {
      if (type(folder) != FOLDER) {
        throw occupied(folder, type(folder));
      }
      if (type(bound) != SOCKET) {
        throw occupied(bound, type(bound));
      }
      Files.setPosixFilePermissions(bound, mode);
      Files.createLink(path, bound);
      Files.delete(bound);
      Files.delete(folder);
      own = identity();
    } catch (ListenException e) {
      throw e;
    } catch (IOException e) {
      throw ListenException.unusable(
          key,
          path,
          "cannot set the mode of the socket, or create its hard link: "
              + FileException.reason(e)
              + "; give the daemon's user write permission to the folder, or configure another"
              + " path",
          e);
    }
  }

  /// Type, inode number and modification time of the file at the configured path. The modification
  /// time distinguishes files with a reused inode number: for a socket it is the time of bind(2),
  /// which chmod(1) and chown(1) do not change.
  private String identity() throws IOException {
    return type(path)
        + " "
        + attribute(path, "unix:ino")
        + " "
        + attribute(path, "lastModifiedTime");
  }

  /// Removes the daemon's own socket, but no other file at the path.
  public void remove() {
    try {
      if (own != null && own.equals(identity())) {
        Files.delete(path);
      }
    } catch (NoSuchFileException e) {
      // The file was already removed.
    } catch (IOException e) {
      log.atWarn().addKeyValue("path", path).setCause(e).log("Unix socket not removed");
    }
  }

  private static int type(Path path) throws IOException {
    return (int) attribute(path, "unix:mode") & TYPE_MASK;
  }

  private static Object attribute(Path path, String name) throws IOException {
    return Files.getAttribute(path, name, LinkOption.NOFOLLOW_LINKS);
  }
}
