package dev.hmacd.testing;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/// The folder or file with the keys of a token. A test removes and restores it under a running
/// daemon, like a volume that is unmounted and mounted again.
public final class Storage {
  private final Path folder;
  private final Path aside;

  /// @param folder folder of the token
  public Storage(Path folder) {
    this.folder = folder;
    this.aside = folder.resolveSibling(folder.getFileName() + ".away");
  }

  public static Storage of(SoftHsm hsm) {
    Path folder = hsm.storage();
    // Not in the folder of tokens: SoftHSM2 reads each folder in it as a token.
    return new Storage(folder, folder.resolve("../../away-" + hsm.serial()).normalize());
  }

  private Storage(Path folder, Path aside) {
    this.folder = folder;
    this.aside = aside;
  }

  /// Moves the folder to another place.
  public void remove() {
    move(folder, aside);
  }

  /// Moves the folder back. Moves a folder in its place aside: the daemon may write files into it,
  /// so it cannot be deleted yet.
  public void restore() {
    if (Files.exists(folder)) {
      Path replaced = aside.resolveSibling(aside.getFileName() + ".replaced");
      delete(replaced);
      move(folder, replaced);
    }
    move(aside, folder);
  }

  /// Moves the folder back, if it was removed.
  public void restoreIfRemoved() {
    if (Files.exists(aside)) {
      restore();
    }
  }

  /// Copies the folder.
  ///
  /// @return the copy
  public Path copy() {
    Path copy = aside.resolveSibling(aside.getFileName() + ".copy");
    delete(copy);
    run("cp", "-a", folder.toString(), copy.toString());
    return copy;
  }

  /// Puts a copy in the place of the removed folder.
  public void replaceBy(Path copy) {
    move(copy, folder);
  }

  private static void move(Path from, Path to) {
    try {
      Files.move(from, to);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private static void delete(Path folder) {
    run("rm", "-rf", folder.toString());
  }

  private static void run(String... command) {
    try {
      Process process = new ProcessBuilder(command).inheritIO().start();
      if (process.waitFor() != 0) {
        throw new IllegalStateException(List.of(command) + " failed");
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw new IllegalStateException(e);
    }
  }
}
