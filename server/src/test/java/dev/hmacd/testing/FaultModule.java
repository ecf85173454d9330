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

/// The fault module (`src/test/c`) in front of SoftHSM2. Each object of this class has its own
/// copies of both files, so the dynamic linker loads them separately. Faults do not affect sessions
/// of other tests.
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

  /// A fault module that forwards calls to the module of a token.
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

  /// The file for a daemon to load.
  public Path file() {
    return folder.resolve("fault.so");
  }

  private Path socket() {
    return folder.resolve("control");
  }

  /// Sends a command; `src/test/c/control.c` lists all commands.
  public void send(String command) {
    String answer = request(command);
    if (!answer.equals("ok\n")) {
      throw new IllegalArgumentException(command + ": " + answer);
    }
  }

  /// The number of calls of each function, and `sessions`, `inside`, `hanging` and `violations`.
  public Map<String, Long> counts() {
    Map<String, Long> counts = new HashMap<>();
    for (String line : request("counts").split("\n", -1)) {
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

  private String request(String command) {
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
