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
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.regex.Pattern;

/// A real SoftHSM2 token in a folder of its own, driven from outside with `pkcs11-tool`.
///
/// SoftHSM2 reads its configuration from the environment and finds tokens once in a process, so a
/// test JVM has one token, made before the module is loaded, for all of its tests; the build sets
/// SOFTHSM2_CONF for it. Processes that a test starts may have tokens of their own.
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

  /// A new token for processes that a test starts with [#environment].
  ///
  /// @param conf the configuration file to write; the token is in the folder beside it
  public static SoftHsm create(Path conf) {
    return create(conf, PIN);
  }

  /// As [#create(Path)], with another PIN than all the other tokens.
  public static SoftHsm create(Path conf, String pin) {
    return create(conf, LABEL, pin);
  }

  /// As [#create(Path, String)], with another label, too.
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
    // The last slot has no token yet; SoftHSM2 adds one more when it has.
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

  /// One token more beside this one, for who loads the module after this.
  public SoftHsm another() {
    return new SoftHsm(freshLabel("token"), conf, pinFile, pin).initialized();
  }

  /// Takes the token away for good.
  public void deleteToken() {
    run(List.of("softhsm2-util", "--delete-token", "--token", label));
  }

  /// The folder of this token. SoftHSM2 names it by a UUID, of which the serial number is the end.
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

  /// Initialises the token anew, with the same label and PIN: its objects are gone.
  public void initializeAnew() {
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
    var told = Pattern.compile("token label +: (.*)\n(?:.*\n)*?.*serial num +: (\\w+)");
    return told.matcher(tool("--list-token-slots"))
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

  /// What a process needs in its environment to find this token.
  public Map<String, String> environment() {
    return Map.of("SOFTHSM2_CONF", conf.toString());
  }

  /// The token as the daemon sees it, in this JVM.
  public Pkcs11Token token() {
    return token(MODULE, false);
  }

  /// As [#token()], through a module in front of its own.
  ///
  /// @param verify whether MACs are verified before they are released
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

  /// An id that no test has used before, in hex.
  public static String freshId() {
    return HexFormat.of().toHexDigits(ProcessHandle.current().pid())
        + HexFormat.of().toHexDigits(NEXT.incrementAndGet());
  }

  /// A label that no test has used before.
  public static String freshLabel(String what) {
    return what + "-" + NEXT.incrementAndGet() + "-" + ProcessHandle.current().pid();
  }

  /// Imports a known key as a key ceremony would: sensitive, not extractable.
  public void importKey(String label, String idHex, byte[] key) {
    importKey(label, idHex, key, "--sensitive", "--private");
  }

  /// Imports a key with other attributes, in `pkcs11-tool`'s words.
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

  /// What `pkcs11-tool` says of the secret keys on the token.
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

  /// Runs `pkcs11-tool` on this token's module, and returns what it printed, without its warnings.
  public String tool(String... arguments) {
    List<String> command = new ArrayList<>(List.of("pkcs11-tool", "--module", MODULE.toString()));
    command.addAll(List.of(arguments));
    return run(command);
  }

  /// Runs a program that finds this token, and returns what it printed.
  public String run(List<String> command) {
    try {
      // Not one stream: warnings would fall into the middle of a line.
      Path warnings = Files.createTempFile("pkcs11-tool", ".err");
      ProcessBuilder builder = new ProcessBuilder(command).redirectError(warnings.toFile());
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
