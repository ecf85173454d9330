package dev.hmacd.client;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/// A named pipe. To open it for reading blocks until a writer opens it, and is not interruptible.
record Fifo(Path path) {
  static Fifo create(Path path) {
    try {
      Files.deleteIfExists(path);
      var mkfifo = new ProcessBuilder("mkfifo", path.toString()).inheritIO().start();
      assertThat(mkfifo.waitFor()).isZero();
      return new Fifo(path);
    } catch (IOException e) {
      throw new AssertionError(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new AssertionError(e);
    }
  }

  /// Ends the read that is blocked now or begins next.
  void release() throws IOException {
    Files.newOutputStream(path).close();
  }
}
