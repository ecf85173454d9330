package dev.hmacd.access;

import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// The kinds of [Principal].
enum Kind {
  /// A SPIFFE ID from the certificate's URI SAN.
  SPIFFE("spiffe://"),
  /// The certificate's first DNS SAN.
  DNS("dns:"),
  /// The certificate's subject CN, where it has no SAN that names it.
  COMMON_NAME("cn:"),
  /// The user id of the process at the other end of the Unix socket (SO_PEERCRED).
  UID("uid:");

  final String prefix;

  Kind(String prefix) {
    this.prefix = prefix;
  }

  static @Nullable Kind of(String name) {
    for (Kind kind : values()) {
      if (name.startsWith(kind.prefix) && name.length() > kind.prefix.length()) {
        return kind;
      }
    }
    return null;
  }

  static List<String> prefixes() {
    return Arrays.stream(values()).map(kind -> kind.prefix).toList();
  }
}
