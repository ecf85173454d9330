package dev.hmacd.file;

import java.io.IOException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFileAttributes;
import java.nio.file.attribute.PosixFilePermission;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/// Checks the permissions of a file that decides who can use keys. Others are all users except the
/// owner of the file, its group and root.
///
/// Permissions of others are refused, except for the registry. Permissions of a group give a
/// warning. The group root (gid 0) has the trust of root: a credential of systemd
/// (`LoadCredential`) belongs to this group, and its group permissions are the mask of its access
/// control list.
///
/// A folder on the way to the file that others or a group can write counts as the file: its writers
/// can replace the file.
public final class FilePermissions {
  /// The sticky bit of `st_mode` (inode(7)): in such a folder, only the owner of a file can replace
  /// the file.
  private static final int STICKY = 0x200;

  private static final int OTHERS_WRITE = 0x2;
  private static final int GROUP_WRITE = 0x10;
  private static final int ROOT = 0;
  private static final Path TOP = Path.of("/");

  /// Maximum number of symbolic links on the way to a file, as in Linux (path_resolution(7)).
  private static final int MAX_LINKS = 40;

  /// The content of a file, which decides which permissions are too wide.
  public enum Content {
    /// The configuration has no secret, so all users may read it.
    CONFIGURATION(true, true),
    /// A private key or a PIN.
    SECRET(false, true),
    /// The registry, or its folder.
    REGISTRY(false, false);

    private final boolean readableByAll;
    private final boolean refusedForOthers;

    Content(boolean readableByAll, boolean refusedForOthers) {
      this.readableByAll = readableByAll;
      this.refusedForOthers = refusedForOthers;
    }
  }

  /// A too wide permission.
  ///
  /// @param isRefused whether the daemon must not use the file
  /// @param text the permission, with the file, its mode and the remedy
  private record Finding(boolean isRefused, String text) {}

  private FilePermissions() {}

  /// The reason why the daemon must not use a file; empty if it may use the file.
  ///
  /// @throws IOException if the permissions cannot be read
  public static Optional<String> refusal(Path file, Content content) throws IOException {
    return findings(file, content).stream()
        .filter(Finding::isRefused)
        .map(Finding::text)
        .findFirst();
  }

  /// The permissions of a file that are too wide, but not refused.
  ///
  /// @throws IOException if the permissions cannot be read
  public static List<String> warnings(Path file, Content content) throws IOException {
    return findings(file, content).stream()
        .filter(finding -> !finding.isRefused())
        .map(Finding::text)
        .toList();
  }

  /// The folders above a file whose writers can replace it, as texts with the remedy. The file need
  /// not exist.
  ///
  /// @throws IOException if the permissions of a folder cannot be read
  public static List<String> folderWarnings(Path file) throws IOException {
    List<String> texts = new ArrayList<>();
    for (Path folder : foldersAbove(file)) {
      folderFinding(folder, file, Content.CONFIGURATION)
          .ifPresent(finding -> texts.add(finding.text()));
    }
    return texts;
  }

  private static List<Finding> findings(Path file, Content content) throws IOException {
    var attributes = Files.readAttributes(file, PosixFileAttributes.class);
    Set<PosixFilePermission> permissions = attributes.permissions();
    String mode = " (mode " + PosixFilePermissions.toString(permissions) + "): chmod ";
    List<Finding> findings = new ArrayList<>();
    String others =
        tooWide(
            !content.readableByAll && permissions.contains(PosixFilePermission.OTHERS_READ),
            permissions.contains(PosixFilePermission.OTHERS_WRITE));
    if (!others.isEmpty()) {
      findings.add(
          new Finding(
              content.refusedForOthers,
              "others have permission " + others + " on " + file + mode + "o-" + others + " it"));
    }
    String group =
        tooWide(
            !content.readableByAll && permissions.contains(PosixFilePermission.GROUP_READ),
            permissions.contains(PosixFilePermission.GROUP_WRITE));
    if (!group.isEmpty() && !Files.getAttribute(file, "unix:gid").equals(ROOT)) {
      String who = "the group " + attributes.group().getName() + " has permission ";
      findings.add(new Finding(false, who + group + " on " + file + mode + "g-" + group + " it"));
    }
    for (Path folder : foldersAbove(file)) {
      folderFinding(folder, file, content).ifPresent(findings::add);
    }
    return findings;
  }

  /// The finding about a folder whose writers can replace a file; empty if there is none.
  private static Optional<Finding> folderFinding(Path folder, Path file, Content content)
      throws IOException {
    int mode = (int) Files.getAttribute(folder, "unix:mode");
    boolean others = (mode & OTHERS_WRITE) != 0;
    boolean group =
        (mode & GROUP_WRITE) != 0 && !Files.getAttribute(folder, "unix:gid").equals(ROOT);
    if (!(others || group) || (mode & STICKY) != 0 || isOnReadOnlyMount(folder)) {
      return Optional.empty();
    }
    String who =
        others
            ? "others"
            : "the group "
                + Files.readAttributes(folder, PosixFileAttributes.class).group().getName();
    return Optional.of(
        new Finding(
            others && content.refusedForOthers,
            who
                + " can write the folder "
                + folder
                + ", and so replace "
                + file
                + ": chmod "
                + (others ? "o" : "g")
                + "-w the folder"));
  }

  /// Whether the file system of a folder is mounted read-only, as a ConfigMap of Kubernetes (mode
  /// 0777) is. A file system without a mount point, as the root of a chroot, counts as writable.
  private static boolean isOnReadOnlyMount(Path folder) {
    try {
      return Files.getFileStore(folder).isReadOnly();
    } catch (IOException e) { // "Mount point not found"
      return false;
    }
  }

  /// The permissions in the form of chmod: `r`, `w` or `rw`; empty for none.
  private static String tooWide(boolean read, boolean write) {
    return (read ? "r" : "") + (write ? "w" : "");
  }

  /// The folders in which the kernel looks up the names of a path, including the folders of each
  /// symbolic link on the way. A writer of any folder can replace the file.
  private static Set<Path> foldersAbove(Path file) throws IOException {
    Set<Path> folders = new LinkedHashSet<>();
    Deque<Path> names = new ArrayDeque<>();
    file.toAbsolutePath().forEach(names::addLast);
    Path folder = TOP;
    int links = 0;
    while (!names.isEmpty()) {
      folders.add(folder);
      // The path of the folder has no links, so normalize() finds the parent for `..`.
      Path next = folder.resolve(names.removeFirst()).normalize();
      if (!Files.isSymbolicLink(next)) {
        folder = next;
        continue;
      }
      links++;
      if (links > MAX_LINKS) {
        throw new FileSystemException(file.toString(), null, "too many symbolic links");
      }
      Path target = Files.readSymbolicLink(next);
      if (target.isAbsolute()) {
        folder = TOP;
      }
      for (int i = target.getNameCount() - 1; i >= 0; i--) {
        names.addFirst(target.getName(i));
      }
    }
    return folders;
  }
}
