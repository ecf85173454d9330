package dev.hmacd.token;

import dev.hmacd.file.FileException;
import dev.hmacd.file.FilePermissions;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.Map;
import java.util.Optional;

/// The file of a PKCS#11 module: a shared library.
record ModuleFile(Path path) {
  private static final String KEY = "token.module";

  /// Names of machines in the property `os.arch`, by `e_machine` of the ELF header. `ppc64` is a
  /// prefix of the name.
  private static final Map<Integer, String> MACHINES =
      Map.of(
          0x03, "i386",
          0x15, "ppc64",
          0x16, "s390x",
          0x28, "arm",
          0x3e, "amd64",
          0xb7, "aarch64",
          0xf3, "riscv64");

  private static final byte[] ELF = {0x7f, 'E', 'L', 'F'};
  private static final int ENCODING_OFFSET = 5;
  private static final int BIG_ENDIAN = 2;
  private static final int MACHINE_OFFSET = 18;
  private static final int HEADER_BYTES = 20;

  /// Returns a different spelling of the path for each number, because the JDK's wrapper
  /// initialises a module only once for each path.
  String spelling(int number) {
    var spelled = new StringBuilder();
    for (int bits = number; bits != 0; bits >>>= 1) {
      spelled.append((bits & 1) == 0 ? "/" : "/.");
    }
    return spelled.append(path.toAbsolutePath()).toString();
  }

  /// Checks that others cannot change the code of the module.
  ///
  /// @throws FileException if others can write the file or a folder above it, or if its permissions
  ///   cannot be read
  void requireProtected() throws FileException {
    Optional<String> refusal;
    try {
      refusal = FilePermissions.refusal(path, FilePermissions.Content.CONFIGURATION);
    } catch (NoSuchFileException e) {
      return; // The error of the dynamic linker names the missing file.
    } catch (IOException e) {
      throw FileException.unreadable(KEY, path, e);
    }
    if (refusal.isPresent()) {
      throw FileException.refused(KEY, refusal.get());
    }
  }

  /// Explains why the dynamic linker did not load the file. The linker calls a library for another
  /// machine a missing file, and does not name the module if a dependency of the module is missing.
  ///
  /// @param linker the error of the dynamic linker
  String loadFailure(IOException linker) {
    return KEY
        + ": cannot load the PKCS#11 module "
        + path
        + ": "
        + fault(String.valueOf(System.getProperty("os.arch")))
            .map(text -> text + "; " + linker.getMessage())
            .orElseGet(
                () ->
                    linker.getMessage()
                        + "; install the libraries that the module needs, or correct token.module");
  }

  /// The error text of a failed `C_Initialize`.
  ///
  /// @param code the name of the return code
  String initializeFailure(String code) {
    return "token.module: C_Initialize returned " + code + SoftHsmHint.of(path, System.getenv());
  }

  /// The fault of the file itself; empty if none is visible.
  ///
  /// @param machine the machine of this JVM, as in the property `os.arch`
  Optional<String> fault(String machine) {
    if (!Files.exists(path)) {
      return Optional.of("there is no such file: install the module, or correct token.module");
    }
    if (!Files.isRegularFile(path)) {
      return Optional.of("it is not a regular file: correct token.module");
    }
    if (!Files.isReadable(path)) {
      return Optional.of("this user may not read the file");
    }
    try (InputStream in = Files.newInputStream(path)) {
      return fault(in.readNBytes(HEADER_BYTES), machine);
    } catch (IOException e) {
      return Optional.of("the file cannot be read (" + e + ")");
    }
  }

  private static Optional<String> fault(byte[] header, String machine) {
    ByteBuffer elf = ByteBuffer.wrap(header);
    if (header.length < HEADER_BYTES || !elf.slice(0, ELF.length).equals(ByteBuffer.wrap(ELF))) {
      return Optional.of("it is not a shared library (no ELF header): correct token.module");
    }
    elf.order(
        header[ENCODING_OFFSET] == BIG_ENDIAN ? ByteOrder.BIG_ENDIAN : ByteOrder.LITTLE_ENDIAN);
    int number = Short.toUnsignedInt(elf.getShort(MACHINE_OFFSET));
    String built = MACHINES.getOrDefault(number, "machine " + number);
    return machine.startsWith(built)
        ? Optional.empty()
        : Optional.of("it is a library for " + built + ", and this JVM runs on " + machine);
  }
}
