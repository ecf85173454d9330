package dev.hmacd.token;

import java.util.OptionalLong;

/// Which of a module's tokens is meant. Slot numbers are no identity: they change with the module's
/// mood.
public sealed interface TokenSelector {
  record ByLabel(String label) implements TokenSelector {}

  record BySerial(String serial) implements TokenSelector {}

  default boolean fits(TokenInfo info) {
    return switch (this) {
      case ByLabel(var label) -> info.label().equals(label);
      case BySerial(var serial) -> info.serial().equals(serial);
    };
  }

  /// What is known of a token that has not been seen.
  default TokenInfo unseen() {
    return switch (this) {
      case ByLabel(var label) -> new TokenInfo(label, "", "", "", OptionalLong.empty());
      case BySerial(var serial) -> new TokenInfo("", serial, "", "", OptionalLong.empty());
    };
  }
}
