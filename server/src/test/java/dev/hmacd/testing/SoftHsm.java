package dev.hmacd.testing;

import dev.hmacd.token.PinFile;
import dev.hmacd.token.Pkcs11Token;
import dev.hmacd.token.TokenException;
import dev.hmacd.token.TokenSelector;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.regex.Pattern;

/// A real SoftHSM2 token in its own folder, managed with `pkcs11-tool` from outside.
///
/// SoftHSM2 reads its configuration from the environment, and finds tokens once in a process. So
/// all tests of a JVM share one token, which exists before the module is loaded. The build sets
/// SOFTHSM2_CONF. Child processes of a test may have their own tokens.
public final class SoftHsm {
  public static final String LABEL = "hmacd-test";
  public static final String PIN = "648219";
  private static final String SO_PIN = "13572468";
  private static final Path MODULE =
      Path.of(System.getProperty("hmacd.test.module", "/usr/lib/softhsm/libsofthsm2.so"));
  private static final Pattern SLOT = Pattern.compile("(?m)^Slot ");
  private static final AtomicInteger NEXT = new AtomicInteger();

  private final String label;
  private final Path conf;
  private final Path pinFile;
  private final String pin;

  private SoftHsm(String label, Path conf, Path pinFile, String pin) {
    this.label = label;
    this.conf = conf;
    this.pinFile = pinFile;
    this.pin = pin;
  }

  private static final class Shared {
    static final SoftHsm TOKEN = make();

    private static SoftHsm make() {
      String conf = System.getenv("SOFTHSM2_CONF");
      if (conf == null) {
        throw new IllegalStateException("the build sets SOFTHSM2_CONF for tests");
      }
      return create(Path.of(conf));
    }
  }

  /// The token of this JVM.
  public static SoftHsm shared() {
    return Shared.TOKEN;
  }

  /// A new token for child processes with [#environment].
  ///
  /// @param conf the configuration file to write; the token is in the same folder
  public static SoftHsm create(Path conf) {
    return create(conf, PIN);
  }

  /// As [#create(Path)], with this PIN.
  public static SoftHsm create(Path conf, String pin) {
    return create(conf, LABEL, pin);
  }

  /// As [#create(Path, String)], with this label.
  public static SoftHsm create(Path conf, String label, String pin) {
    try {
      Path folder = conf.toAbsolutePath().getParent();
      if (folder == null) {
        throw new IllegalArgumentException("no folder: " + conf);
      }
      Path tokens = folder.resolve("tokens");
      deleteAll(tokens);
      Files.createDirectories(tokens);
      Files.writeString(
          conf,
          "directories.tokendir = " + tokens + "\nobjectstore.backend = file\nlog.level = ERROR\n");
      Path pinFile = folder.resolve("pin");
      Files.deleteIfExists(pinFile);
      Files.createFile(
          pinFile,
          PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")));
      Files.writeString(pinFile, pin + "\n");
      return new SoftHsm(label, conf.toAbsolutePath(), pinFile, pin).initialized();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private SoftHsm initialized() {
    // The last slot is empty. After its initialization SoftHSM2 adds another empty slot.
    long slots = SLOT.matcher(tool("--list-slots")).results().count();
    String free = Long.toString(slots - 1);
    tool("--init-token", "--slot-index", free, "--label", label, "--so-pin", SO_PIN);
    tool(
        "--token-label",
        label,
        "--login",
        "--login-type",
        "so",
        "--so-pin",
        SO_PIN,
        "--init-pin",
        "--new-pin",
        pin);
    return this;
  }

  /// Creates an additional token beside this one, for modules that are loaded later.
  public SoftHsm another() {
    return new SoftHsm(freshLabel("token"), conf, pinFile, pin).initialized();
  }

  /// Deletes the token.
  public void deleteToken() {
    run(List.of("softhsm2-util", "--delete-token", "--token", label));
  }

  /// The folder of this token. Its name is a UUID that ends with the serial number.
  public Path storage() {
    String serial = serial();
    try (var folders = Files.list(conf.resolveSibling("tokens"))) {
      return folders
          .filter(folder -> folder.toString().replace("-", "").endsWith(serial))
          .findFirst()
          .orElseThrow();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /// Initializes the token again, with the same label and PIN. All objects are lost.
  public void reinitialize() {
    run(
        List.of(
            "softhsm2-util",
            "--init-token",
            "--token",
            label,
            "--label",
            label,
            "--so-pin",
            SO_PIN,
            "--pin",
            pin));
  }

  /// The serial number, which SoftHSM2 chooses.
  public String serial() {
    var slots = Pattern.compile("token label +: (.*)\n(?:.*\n)*?.*serial num +: (\\w+)");
    return slots
        .matcher(tool("--list-token-slots"))
        .results()
        .filter(match -> match.group(1).strip().equals(label))
        .findFirst()
        .orElseThrow()
        .group(2);
  }

  private static void deleteAll(Path folder) throws IOException {
    if (Files.exists(folder)) {
      try (var files = Files.walk(folder)) {
        for (Path file : files.sorted(java.util.Comparator.reverseOrder()).toList()) {
          Files.delete(file);
        }
      }
    }
  }

  public Path module() {
    return MODULE;
  }

  public String label() {
    return label;
  }

  public String pin() {
    return pin;
  }

  public Path pinFile() {
    return pinFile;
  }

  /// The environment for a process that uses this token.
  public Map<String, String> environment() {
    return Map.of("SOFTHSM2_CONF", conf.toString());
  }

  /// The token for a daemon in this JVM.
  public Pkcs11Token token() {
    return token(MODULE, false);
  }

  /// As [#token()], with another module in front of the token's module.
  ///
  /// @param verify whether the daemon verifies MACs before it releases them
  public Pkcs11Token token(Path through, boolean verify) {
    return token(through, new Pkcs11Token.Use(true, verify));
  }

  /// As [#token()], without session copies of keys.
  public Pkcs11Token tokenWithoutCopies() {
    return token(MODULE, new Pkcs11Token.Use(false, false));
  }

  private Pkcs11Token token(Path through, Pkcs11Token.Use use) {
    try {
      return Pkcs11Token.find(
          through, new TokenSelector.ByLabel(this.label), new PinFile(pinFile), use);
    } catch (TokenException e) {
      throw new IllegalStateException(e);
    }
  }

  /// A unique id, in hex.
  public static String freshId() {
    return HexFormat.of().toHexDigits(ProcessHandle.current().pid())
        + HexFormat.of().toHexDigits(NEXT.incrementAndGet());
  }

  /// A unique label.
  public static String freshLabel(String what) {
    return what + "-" + NEXT.incrementAndGet() + "-" + ProcessHandle.current().pid();
  }

  /// Imports a known key, sensitive and not extractable, as a key ceremony does.
  public void importKey(String label, String idHex, byte[] key) {
    importKey(label, idHex, key, "--sensitive", "--private");
  }

  /// Imports a key with other attributes, as options of `pkcs11-tool`.
  public void importKey(String label, String idHex, byte[] key, String... attributes) {
    try {
      Path file = Files.createTempFile("key", ".bin");
      try {
        Files.write(file, key);
        List<String> arguments =
            new ArrayList<>(
                List.of(
                    "--token-label",
                    this.label,
                    "--login",
                    "--pin",
                    pin,
                    "--write-object",
                    file.toString(),
                    "--type",
                    "secrkey",
                    "--label",
                    label));
        if (!idHex.isEmpty()) {
          HexFormat.of().parseHex(idHex);
          arguments.addAll(List.of("--id", idHex));
        }
        arguments.addAll(List.of(attributes));
        tool(arguments.toArray(String[]::new));
      } finally {
        Files.delete(file);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /// Generates a key that is restricted to mechanisms (CKA_ALLOWED_MECHANISMS). `pkcs11-tool`
  /// cannot import such a key.
  ///
  /// @param mechanisms names of `pkcs11-tool`, with commas
  public void generateRestrictedKey(String label, String idHex, String mechanisms) {
    tool(
        "--token-label",
        this.label,
        "--login",
        "--pin",
        pin,
        "--keygen",
        "--key-type",
        "GENERIC:64",
        "--label",
        label,
        "--id",
        idHex,
        "--sensitive",
        "--private",
        "--usage-sign",
        "--allowed-mechanisms",
        mechanisms);
  }

  /// Destroys known keys, and imports others, in one process. The attributes are those of
  /// [#importKey(String, String, byte[])].
  ///
  /// @param destroyed labels
  /// @param imported keys by label
  public void replaceKeys(Collection<String> destroyed, Map<String, byte[]> imported) {
    try {
      Path file = Files.createTempFile("keys", ".txt");
      try {
        List<String> lines = new ArrayList<>(destroyed);
        imported.forEach((name, key) -> lines.add(name + " " + HexFormat.of().formatHex(key)));
        Files.write(file, lines);
        List<String> command = DaemonProcess.java(List.of(), KeyImport.class);
        command.addAll(List.of(MODULE.toString(), label, pin));
        String _ = run(command, ProcessBuilder.Redirect.from(file.toFile()));
      } finally {
        Files.delete(file);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /// Destroys the secret keys with this label.
  public void delete(String label) {
    tool(
        "--token-label",
        this.label,
        "--login",
        "--pin",
        pin,
        "--delete-object",
        "--type",
        "secrkey",
        "--label",
        label);
  }

  /// The secret keys on the token, as listed by `pkcs11-tool`.
  public String list() {
    return tool(
        "--token-label",
        this.label,
        "--login",
        "--pin",
        pin,
        "--list-objects",
        "--type",
        "secrkey");
  }

  /// Runs `pkcs11-tool` with the module of this token, and returns the output without warnings.
  public String tool(String... arguments) {
    List<String> command = new ArrayList<>(List.of("pkcs11-tool", "--module", MODULE.toString()));
    command.addAll(List.of(arguments));
    return run(command);
  }

  /// Runs a program with the environment of this token, and returns its output.
  public String run(List<String> command) {
    return run(command, ProcessBuilder.Redirect.PIPE);
  }

  private String run(List<String> command, ProcessBuilder.Redirect input) {
    try {
      // With one stream, a warning could appear within a line.
      Path warnings = Files.createTempFile("pkcs11-tool", ".err");
      ProcessBuilder builder =
          new ProcessBuilder(command).redirectInput(input).redirectError(warnings.toFile());
      builder.environment().put("SOFTHSM2_CONF", conf.toString());
      Process process = builder.start();
      String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
      if (!process.waitFor(Eventually.LIMIT.toSeconds(), TimeUnit.SECONDS)
          || process.exitValue() != 0) {
        throw new IllegalStateException(
            command + " failed: " + output + Files.readString(warnings));
      }
      Files.delete(warnings);
      return output;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(e);
    }
  }
}
