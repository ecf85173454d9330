package dev.hmacd.command;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Optional;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Warning about a command that runs as root, while the folder of the registry belongs to another
/// user: that user, who runs the daemon, cannot open the files that root creates in it.
final class RootWarning {
  private static final Integer ROOT = 0;
  private static final Logger log = LoggerFactory.getLogger(RootWarning.class);

  private RootWarning() {}

  /// The warning for this process.
  ///
  /// @param registry path of the registry
  static Optional<String> find(Path registry) {
    try {
      return find(registry, DevFolder.uid());
    } catch (IOException e) {
      log.atDebug()
          .addKeyValue("registry", registry)
          .setCause(e)
          .log("Warning about root skipped: owner of the registry folder not readable");
      return Optional.empty();
    }
  }

  /// @param uid the user id of the process
  ///
  /// @throws IOException if the owner of the folder cannot be read
  static Optional<String> find(Path registry, Object uid) throws IOException {
    Path folder = registry.toAbsolutePath().getParent();
    if (!uid.equals(ROOT) || folder == null) {
      return Optional.empty();
    }
    if (Files.getAttribute(folder, "unix:uid").equals(ROOT)) {
      return Optional.empty();
    }
    String owner = Files.getOwner(folder).getName();
    return Optional.of(
        "this command runs as root, but the folder "
            + folder
            + " belongs to "
            + owner
            + ", who cannot open files that root creates in it: run the command as "
            + owner
            + " (hmacd-command, or runuser -u "
            + owner
            + ")");
  }

  /// Logs the warning for this process, if there is one.
  static void logIfAny(Path registry) {
    find(registry)
        .ifPresent(
            text ->
                log.atWarn()
                    .addKeyValue("key", "registry.path")
                    .addKeyValue("reason", text)
                    .log("Command runs as root in the registry folder of another user"));
  }
}
