package dev.hmacd.token;

import java.io.IOException;

/// Source of the PIN, read at each login. The daemon never keeps the PIN.
public interface PinSource {
  /// Reads the PIN as text. The caller must overwrite the array after use.
  char[] read() throws IOException;

  /// The name of this source, for error texts.
  default String name() {
    return "the PIN source";
  }
}
