package dev.hmacd.testing;

import dev.hmacd.config.Config;
import dev.hmacd.config.ConfigException;
import dev.hmacd.config.ConfigFile;
import dev.hmacd.key.KeyObject;
import dev.hmacd.token.PinFile;
import dev.hmacd.token.Pkcs11Modules;
import dev.hmacd.token.Pkcs11Token;
import dev.hmacd.token.TokenException;
import dev.hmacd.token.TokenSelector;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Properties;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;

/// The token under the contract tests: SoftHSM2 by default, or the token of the system property
/// `hmacd.test.token`. The property names a file of `scripts/tokens` with these entries:
///
/// - `name`: the display name
/// - `config`: the daemon's configuration file for this token
/// - `tool.module`: the module of the token for `pkcs11-tool`
/// - `storage`: the file or folder with the token's keys
/// - `logged-out.use`: `crashes` if a MAC on an object of the token without a login can end the
///   process
///
/// The environment of this JVM has the variables that the module needs.
public final class ContractToken {
  private static final String PROPERTY = "hmacd.test.token";
  private static final @Nullable ContractToken CHOSEN = chosenByProperty();

  private final String name;
  private final Path module;
  private final Optional<String> initArgs;
  private final String label;
  private final Path pinFile;
  private final String toolModule;
  private final boolean survivesUseWhenLoggedOut;
  private final @Nullable Storage storage;

  private ContractToken(
      String name,
      Path module,
      Optional<String> initArgs,
      String label,
      Path pinFile,
      String toolModule,
      boolean survivesUseWhenLoggedOut,
      @Nullable Storage storage) {
    this.name = name;
    this.module = module;
    this.initArgs = initArgs;
    this.label = label;
    this.pinFile = pinFile;
    this.toolModule = toolModule;
    this.survivesUseWhenLoggedOut = survivesUseWhenLoggedOut;
    this.storage = storage;
  }

  /// Whether the system property names a token for this JVM.
  public static boolean isChosen() {
    return CHOSEN != null;
  }

  public static ContractToken ofThisJvm() {
    return CHOSEN != null ? CHOSEN : SharedSoftHsm.TOKEN;
  }

  private static final class SharedSoftHsm {
    private static final ContractToken TOKEN = make();

    private static ContractToken make() {
      SoftHsm hsm = SoftHsm.shared();
      return new ContractToken(
          "SoftHSM2",
          hsm.module(),
          Optional.empty(),
          SoftHsm.LABEL,
          hsm.pinFile(),
          hsm.module().toString(),
          true,
          null);
    }
  }

  private static @Nullable ContractToken chosenByProperty() {
    String file = System.getProperty(PROPERTY);
    if (file == null) {
      return null;
    }
    Properties properties = new Properties();
    try (var in = Files.newBufferedReader(Path.of(file))) {
      properties.load(in);
      Config.TokenSettings settings =
          ConfigFile.read(Path.of(required(properties, "config"))).tokens().getFirst();
      if (!(settings.selector() instanceof TokenSelector.ByLabel(var label))) {
        throw new IllegalStateException("the contract tests need a token selected by its label");
      }
      return new ContractToken(
          required(properties, "name"),
          settings.module(),
          settings.initArgs(),
          label,
          settings.pinFile(),
          required(properties, "tool.module"),
          !"crashes".equals(properties.getProperty("logged-out.use")),
          new Storage(Path.of(required(properties, "storage"))));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (ConfigException e) {
      throw new IllegalStateException(e.problems().toString(), e);
    }
  }

  private static String required(Properties properties, String key) {
    String value = properties.getProperty(key);
    if (value == null) {
      throw new IllegalStateException(key + " is missing");
    }
    return value;
  }

  public String name() {
    return name;
  }

  public Path module() {
    return module;
  }

  public String label() {
    return label;
  }

  /// Whether a MAC on an object of the token without a login fails, and does not end the process.
  public boolean survivesUseWhenLoggedOut() {
    return survivesUseWhenLoggedOut;
  }

  /// The storage of the token's keys.
  public Storage storage() {
    if (storage == null) {
      throw new IllegalStateException("other tests of this JVM use this token");
    }
    return storage;
  }

  /// The token as the daemon sees it.
  public Pkcs11Token find(boolean sessionCopies) throws TokenException {
    return find(new Pkcs11Token.Use(sessionCopies, false));
  }

  /// As [#find(boolean)], with other settings.
  public Pkcs11Token find(Pkcs11Token.Use use) throws TokenException {
    return new Pkcs11Modules()
        .find(module, initArgs, new TokenSelector.ByLabel(label), new PinFile(pinFile), use);
  }

  /// Imports a known key in another process, as a key ceremony does with `pkcs11-tool`.
  public void importKey(KeyObject object, byte[] key) {
    try {
      Path file = Files.createTempFile("key", ".bin");
      try {
        Files.write(file, key);
        tool(
            List.of(
                "--write-object",
                file.toString(),
                "--type",
                "secrkey",
                "--label",
                object.label(),
                "--id",
                object.idHex(),
                "--sensitive",
                "--private",
                "--usage-sign"));
      } finally {
        Files.delete(file);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /// Destroys the secret keys with this label, in another process.
  public void delete(String keyLabel) {
    tool(List.of("--delete-object", "--type", "secrkey", "--label", keyLabel));
  }

  private void tool(List<String> arguments) {
    try {
      List<String> command = new ArrayList<>(List.of("pkcs11-tool", "--module", toolModule));
      command.addAll(List.of("--token-label", label, "--login", "--pin", pin()));
      command.addAll(arguments);
      Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
      String output = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
      if (!process.waitFor(Eventually.LIMIT.toSeconds(), TimeUnit.SECONDS)
          || process.exitValue() != 0) {
        throw new IllegalStateException(arguments + " failed: " + output);
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(e);
    }
  }

  private String pin() throws IOException {
    return Files.readString(pinFile).strip();
  }
}
