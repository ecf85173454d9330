package dev.hmacd.token;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// Hints about the files of SoftHSM2 in error texts.
final class SoftHsmHintTest {
  private static final Path MODULE = Path.of("/usr/lib/softhsm/libsofthsm2.so");

  @TempDir private Path folder;

  private Path configuration() {
    return folder.resolve("softhsm2.conf");
  }

  private String hint() {
    return SoftHsmHint.of(MODULE, Map.of("SOFTHSM2_CONF", configuration().toString()));
  }

  private Path tokens() throws IOException {
    Path tokens = folder.resolve("tokens");
    Files.writeString(
        configuration(), "# comment\nobjectstore.backend = file\ndirectories.tokendir = " + tokens);
    return tokens;
  }

  @Test
  void otherModuleHasNoHint() {
    assertThat(SoftHsmHint.of(Path.of("/usr/lib/libkryoptic_pkcs11.so"), Map.of())).isEmpty();
  }

  @Test
  void missingConfigurationIsNamed() {
    assertThat(hint())
        .contains("cannot read its configuration " + configuration(), "compare SOFTHSM2_CONF");
  }

  @Test
  void configurationWithoutATokenFolderIsNamed() throws IOException {
    Files.writeString(configuration(), "objectstore.backend = file\n");
    assertThat(hint()).endsWith(configuration() + " has no directories.tokendir");
  }

  @Test
  void configurationThatIsNoTextIsNamed() throws IOException {
    Files.write(configuration(), new byte[] {(byte) 0xff, (byte) 0xfe});
    assertThat(hint()).contains("its files cannot be read");
  }

  @Test
  void missingTokenFolderIsNamed() throws IOException {
    Path tokens = tokens();
    assertThat(hint())
        .endsWith("the token folder " + tokens + " of " + configuration() + " does not exist");
  }

  @Test
  void tokenThatCannotBeReadIsNamed() throws IOException {
    Path token = Files.createDirectories(tokens().resolve("b0c9dcc4-cc04-c8cf-1703-7b3ef44bf115"));
    assertThat(hint()).contains("cannot read the token " + token, "make the token as this user");
  }

  @Test
  void readableTokensAreNoFault() throws IOException {
    Path token = Files.createDirectories(tokens().resolve("b0c9dcc4-cc04-c8cf-1703-7b3ef44bf115"));
    Files.createFile(token.resolve("token.object"));
    assertThat(hint()).endsWith("its token folder is " + tokens() + "; compare SOFTHSM2_CONF");
  }

  @Test
  void configurationInTheHomeFolderIsFound() throws IOException {
    Path home = folder.resolve("home");
    Path own = Files.createDirectories(home.resolve(".config/softhsm2")).resolve("softhsm2.conf");
    Files.writeString(own, "objectstore.backend = file\n");
    assertThat(SoftHsmHint.of(MODULE, Map.of("HOME", home.toString())))
        .endsWith(own + " has no directories.tokendir");
  }
}
