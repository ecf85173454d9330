package dev.hmacd.command;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/// Writes the text files of `hmacd dev`: the configuration, and the env file to source in a shell.
final class DevFiles {
  private final DevFolder folder;

  DevFiles(DevFolder folder) {
    this.folder = folder;
  }

  /// Writes the configuration.
  void writeConfig(Path module, String label, Path pin) throws IOException {
    folder.write(
        "hmacd.yaml",
        """
        # Written by hmacd dev at each start; changes in this file are lost.
        grpc:
          listen: 127.0.0.1:0
          tls: {certificate: server.pem, private_key: server-key.pem, client_ca: ca.pem}
          unix_socket: {path: %s}
          reflection: true
        token: {module: %s, label: %s, pin_file: %s}
        registry: {path: registry.db}
        arn: {region: %s, account: "%s"}
        aws_kms: {listen: "127.0.0.1:0"}
        metrics: {listen: "127.0.0.1:0"}
        access:
          rules:
            - principals: [%s, %s, %s]
              actions: ["*"]
              keys: ["*"]
        """
            .formatted(
                quoted(folder.socket().toString()),
                quoted(module.toString()),
                quoted(label),
                quoted(pin.toString()),
                DevAccessKeys.REGION,
                DevAccessKeys.ACCOUNT,
                quoted(DevCertificates.CLIENT),
                quoted("uid:" + DevFolder.uid()),
                quoted(DevAccessKeys.ADMIN)));
  }

  /// A YAML string in single quotes.
  private static String quoted(String text) {
    return "'" + text.replace("'", "''") + "'";
  }

  /// Writes the env file, which sets the endpoint and the credentials in a shell.
  void writeEnv(
      InetSocketAddress target, Path socket, InetSocketAddress awsKms, DevAccessKeys accessKeys)
      throws IOException {
    StringBuilder env =
        new StringBuilder(
            DevFolder.ENV_START + "it sets the endpoint and the credentials of hmacd dev.\n");
    export(env, "HMACD_TARGET", target.getAddress().getHostAddress() + ":" + target.getPort());
    export(env, "HMACD_SOCKET", socket.toString());
    export(env, "HMACD_CA", folder.file("ca.pem").toString());
    export(env, "HMACD_CERT", folder.file("client.pem").toString());
    export(env, "HMACD_KEY", folder.file("client-key.pem").toString());
    String endpoint = "http://" + awsKms.getAddress().getHostAddress() + ":" + awsKms.getPort();
    env.append("\n# For AWS's own clients.\n");
    export(env, "HMACD_AWS_ENDPOINT", endpoint);
    export(env, "AWS_ENDPOINT_URL_KMS", endpoint);
    export(env, "AWS_ACCESS_KEY_ID", accessKeys.admin().id());
    export(env, "AWS_SECRET_ACCESS_KEY", accessKeys.admin().secret());
    env.append("unset AWS_SESSION_TOKEN AWS_PROFILE\n"); // Both would have priority over the key.
    export(env, "AWS_REGION", DevAccessKeys.REGION);
    export(env, "AWS_DEFAULT_REGION", DevAccessKeys.REGION);
    export(env, "HMACD_AKID2", accessKeys.nobody().id());
    export(env, "HMACD_SECRET2", accessKeys.nobody().secret());
    export(env, "HMACD_ARN2", DevAccessKeys.NOBODY);
    env.append('\n');
    for (Path bin : programs()) {
      env.append("case \":$PATH:\" in *:")
          .append(shellQuoted(bin.toString()))
          .append(":*) ;; *) export PATH=")
          .append(shellQuoted(bin.toString()))
          .append("\":$PATH\" ;; esac\n");
    }
    folder.write("env", env.toString());
  }

  private static void export(StringBuilder env, String name, String value) {
    env.append("export ").append(name).append('=').append(shellQuoted(value)).append('\n');
  }

  private static String shellQuoted(String text) {
    return "'" + text.replace("'", "'\\''") + "'";
  }

  /// The folders of the programs `hmacd` and `hmacctl`, in an installation or in a built source
  /// tree.
  private static List<Path> programs() {
    String home = System.getProperty("hmacd.home");
    if (home == null) {
      return List.of();
    }
    Path here = Path.of(home);
    return Stream.of(
            here.resolve("bin"),
            here.resolve("../hmacctl/bin"),
            here.resolve("../../../client/hmacctl/target/hmacctl/bin"))
        .map(Path::normalize)
        .filter(Files::isDirectory)
        .toList();
  }
}
