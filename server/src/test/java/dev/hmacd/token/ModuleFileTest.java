package dev.hmacd.token;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.hmacd.testing.SoftHsm;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// The error of a module that cannot be loaded has the fault of its file, and the error of the
/// dynamic linker. A module that others can change is not loaded.
final class ModuleFileTest {
  private static final int LITTLE_ENDIAN = 1;
  private static final int BIG_ENDIAN = 2;

  @TempDir private Path folder;

  private Path module() {
    return folder.resolve("module.so");
  }

  private void write(byte[] content) throws IOException {
    Files.write(module(), content);
  }

  /// The first bytes of a shared library.
  private static byte[] header(int encoding, int machine) {
    byte[] header = Arrays.copyOf(new byte[] {0x7f, 'E', 'L', 'F', 2}, 20);
    header[5] = (byte) encoding;
    header[encoding == LITTLE_ENDIAN ? 18 : 19] = (byte) machine;
    return header;
  }

  private void assertNotLoaded(String fault) {
    assertThatThrownBy(
            () ->
                Pkcs11Token.find(
                    module(),
                    new TokenSelector.ByLabel("hmacd"),
                    () -> new char[0],
                    new Pkcs11Token.Use(true, false)))
        .isInstanceOf(TokenException.class)
        .hasMessageStartingWith(
            "token.module: cannot load the PKCS#11 module " + module() + ": " + fault + "; ")
        .hasMessageNotContaining("null");
  }

  @Test
  void missingFileIsNamed() {
    assertNotLoaded("there is no such file: install the module, or correct token.module");
  }

  @Test
  void folderIsNoModule() throws IOException {
    Files.createDirectory(module());
    assertNotLoaded("it is not a regular file: correct token.module");
  }

  @Test
  void textFileIsNoModule() throws IOException {
    Files.writeString(module(), "this is a text file, and not a library");
    assertNotLoaded("it is not a shared library (no ELF header): correct token.module");
  }

  @Test
  void emptyFileIsNoModule() throws IOException {
    write(new byte[0]);
    assertNotLoaded("it is not a shared library (no ELF header): correct token.module");
  }

  @ParameterizedTest(name = "{1} on {2}")
  @CsvSource({
    "0x3e, amd64, aarch64",
    "0xb7, aarch64, amd64",
    "0x28, arm, aarch64",
    "0x03, i386, amd64",
    "0xf3, riscv64, amd64",
    "0x02, machine 2, amd64",
  })
  void libraryForAnotherMachineIsNamed(String machine, String name, String jvm) throws IOException {
    write(header(LITTLE_ENDIAN, Integer.decode(machine)));
    assertThat(new ModuleFile(module()).fault(jvm))
        .hasValue("it is a library for " + name + ", and this JVM runs on " + jvm);
  }

  @ParameterizedTest(name = "{2}")
  @CsvSource({
    "1, 0x3e, amd64",
    "1, 0xb7, aarch64",
    "1, 0x15, ppc64le",
    "2, 0x16, s390x",
  })
  void libraryForThisMachineHasNoFault(int encoding, String machine, String jvm)
      throws IOException {
    assertThat(encoding).isIn(LITTLE_ENDIAN, BIG_ENDIAN);
    write(header(encoding, Integer.decode(machine)));
    assertThat(new ModuleFile(module()).fault(jvm)).isEmpty();
  }

  private static void setMode(Path path, String mode) throws IOException {
    Files.setPosixFilePermissions(path, PosixFilePermissions.fromString(mode));
  }

  @Test
  void moduleThatOthersCanWriteIsNotLoaded() throws Exception {
    Files.copy(SoftHsm.shared().module(), module());
    setMode(module(), "rwxr-xrwx");
    assertNotProtected("others have permission w on " + module());
    setMode(module(), "rwxr-xr-x");
    setMode(folder, "rwx---rwx");
    assertNotProtected("others can write the folder " + folder);
    setMode(folder, "rwx------");
    assertThat(find().info().label()).isEqualTo(SoftHsm.LABEL);
  }

  private void assertNotProtected(String fault) {
    assertThatThrownBy(this::find)
        .isInstanceOfSatisfying(TokenException.class, e -> assertThat(e.needsOperator()).isTrue())
        .hasMessageStartingWith("token.module: " + fault);
  }

  private Pkcs11Token find() throws TokenException {
    return Pkcs11Token.find(
        module(),
        new TokenSelector.ByLabel(SoftHsm.LABEL),
        new PinFile(SoftHsm.shared().pinFile()),
        new Pkcs11Token.Use(true, false));
  }

  @Test
  void spellingsOfAPathAreDifferent() {
    ModuleFile file = new ModuleFile(Path.of("/m.so"));
    assertThat(file.spelling(1)).isEqualTo("/./m.so");
    assertThat(file.spelling(2)).isEqualTo("//./m.so");
    assertThat(file.spelling(3)).isEqualTo("/././m.so");
  }
}
