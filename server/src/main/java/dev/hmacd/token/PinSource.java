package dev.hmacd.token;

import java.io.IOException;

/// Where the PIN comes from when it is needed; never kept.
public interface PinSource {
  /// The PIN, which the caller overwrites after use.
  char[] read() throws IOException;
}
