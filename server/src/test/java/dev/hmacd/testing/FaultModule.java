package dev.hmacd.testing;

import static java.nio.charset.StandardCharsets.US_ASCII;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;

/// The fault module (`src/test/c`) in front of SoftHSM2. Both are files of their own for each
/// object of this class, and so are loaded once more into this JVM: what is done to them, nobody
/// else's sessions feel.
public final class FaultModule {
  private static final class Built {
    static final Path FOLDER = build();

    private static Path build() {
      try {
        Path folder = Files.createTempDirectory("hmacd-fault");
        Process build =
            new ProcessBuilder("src/test/c/build", folder.toString()).inheritIO().start();
        if (build.waitFor() != 0) {
          throw new IllegalStateException("src/test/c/build failed");
        }
        return folder;
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new IllegalStateException(e);
      }
    }
  }

  private final Path folder;

  private FaultModule(Path folder) {
    this.folder = folder;
  }

  /// A module that passes calls on to a token's own.
  public static FaultModule inFrontOf(SoftHsm hsm) {
    try {
      Path folder = Files.createTempDirectory("hmacd-fault");
      Path own = Files.copy(hsm.module(), folder.resolve("token.so"));
      var module = new FaultModule(folder);
      Files.copy(Built.FOLDER.resolve("libhmacd-fault.so"), module.file());
      Files.writeString(
          folder.resolve("fault.so.conf"),
          "module = " + own + "\ncontrol = " + module.socket() + "\n");
      return module;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /// What a daemon is to load.
  public Path file() {
    return folder.resolve("fault.so");
  }

  private Path socket() {
    return folder.resolve("control");
  }

  /// Gives a command; `src/test/c/control.c` has them all.
  public void tell(String command) {
    String answer = ask(command);
    if (!answer.equals("ok\n")) {
      throw new IllegalArgumentException(command + ": " + answer);
    }
  }

  /// How often each function was called, and `sessions`, `inside`, `hanging` and `violations`.
  public Map<String, Long> counts() {
    Map<String, Long> counts = new HashMap<>();
    for (String line : ask("counts").split("\n", -1)) {
      int blank = line.indexOf(' ');
      if (blank > 0) {
        counts.put(line.substring(0, blank), Long.valueOf(line.substring(blank + 1)));
      }
    }
    return counts;
  }

  public long count(String name) {
    return counts().getOrDefault(name, 0L);
  }

  private String ask(String command) {
    try (var channel = SocketChannel.open(StandardProtocolFamily.UNIX)) {
      channel.connect(UnixDomainSocketAddress.of(socket()));
      channel.write(ByteBuffer.wrap((command + "\n").getBytes(US_ASCII)));
      var answer = new ByteArrayOutputStream();
      ByteBuffer part = ByteBuffer.allocate(4096);
      while (channel.read(part) >= 0) {
        answer.write(part.array(), 0, part.position());
        part.clear();
      }
      return answer.toString(US_ASCII);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
