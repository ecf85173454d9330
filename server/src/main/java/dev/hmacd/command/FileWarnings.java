package dev.hmacd.command;

import dev.hmacd.config.Config;
import dev.hmacd.config.TlsConfig;
import dev.hmacd.file.FilePermissions;
import dev.hmacd.file.FilePermissions.Content;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Too wide permissions of the files of a configuration that are not refused. `hmacd check` prints
/// them, and `hmacd serve` logs them. The readers of the files refuse all other too wide
/// permissions.
final class FileWarnings {
  private static final Logger log = LoggerFactory.getLogger(FileWarnings.class);

  private FileWarnings() {}

  /// A warning about a file.
  ///
  /// @param key the configuration key of the file
  /// @param text the permission, with the file, its mode and the remedy
  record FileWarning(String key, String text) {}

  /// @param file the configuration file
  static List<FileWarning> find(Path file, Config config) {
    List<FileWarning> found = new ArrayList<>();
    add(found, "--config", file, Content.CONFIGURATION);
    config
        .grpc()
        .tcp()
        .map(Config.TcpListener::tls)
        .ifPresent(tls -> addTls(found, "grpc.tls", tls));
    config.awsKms().flatMap(Config.AwsKms::tls).ifPresent(tls -> addTls(found, "aws_kms.tls", tls));
    for (Config.TokenSettings token : config.tokens()) {
      add(found, "token.module", token.module(), Content.CONFIGURATION);
      add(found, "token.pin_file", token.pinFile(), Content.SECRET);
    }
    add(found, "registry.path", config.registry().path(), Content.REGISTRY);
    Path folder = config.registry().path().getParent();
    if (folder != null) {
      add(found, "registry.path", folder, Content.REGISTRY);
    }
    config.grpc().unix().ifPresent(unix -> addSocket(found, "grpc.unix_socket.path", unix));
    config
        .metrics()
        .flatMap(Config.Metrics::unix)
        .ifPresent(unix -> addSocket(found, "metrics.unix_socket.path", unix));
    return found;
  }

  /// A writer of a folder above a Unix socket can replace the socket, and answer in the daemon's
  /// place.
  private static void addSocket(List<FileWarning> found, String key, Config.UnixSocket socket) {
    addAll(found, key, socket.path(), FilePermissions::folderWarnings);
  }

  /// The certificate has no warning: a writer who lacks the private key can only make the daemon
  /// refuse the certificate.
  private static void addTls(List<FileWarning> found, String section, TlsConfig files) {
    add(found, section + ".private_key", files.privateKey(), Content.SECRET);
    files
        .clientCa()
        .ifPresent(file -> add(found, section + ".client_ca", file, Content.CONFIGURATION));
  }

  private static void add(List<FileWarning> found, String key, Path file, Content content) {
    addAll(found, key, file, each -> FilePermissions.warnings(each, content));
  }

  /// Finds the warnings about one file.
  private interface Check {
    List<String> warnings(Path file) throws IOException;
  }

  private static void addAll(List<FileWarning> found, String key, Path file, Check check) {
    try {
      for (String text : check.warnings(file)) {
        found.add(new FileWarning(key, text));
      }
    } catch (IOException e) {
      log.atDebug()
          .addKeyValue("key", key)
          .addKeyValue("file", file)
          .setCause(e)
          .log("File permissions not checked: file attributes not readable");
    }
  }

  static void logAll(Path file, Config config) {
    for (FileWarning warning : find(file, config)) {
      log.atWarn()
          .addKeyValue("key", warning.key())
          .addKeyValue("reason", warning.text())
          .log("File permissions too wide");
    }
  }
}
