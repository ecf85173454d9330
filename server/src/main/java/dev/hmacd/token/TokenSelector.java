package dev.hmacd.token;

import java.util.OptionalLong;

/// Selects one of a module's tokens. Slot numbers do not identify a token: modules may change them.
public sealed interface TokenSelector {
  /// Selects the token with a label.
  ///
  /// @param label as configured; trailing blanks are ignored, because they cannot be distinguished
  ///   from padding
  record ByLabel(String label) implements TokenSelector {
    public ByLabel {
      label = TokenInfo.unpadded(label);
    }

    /// The selector as in the configuration, for error texts.
    @Override
    public String toString() {
      return "label \"" + label + "\"";
    }
  }

  /// Selects the token with a serial number.
  ///
  /// @param serial as configured; trailing blanks are ignored, because they cannot be distinguished
  ///   from padding
  record BySerial(String serial) implements TokenSelector {
    public BySerial {
      serial = TokenInfo.unpadded(serial);
    }

    /// The selector as in the configuration, for error texts.
    @Override
    public String toString() {
      return "serial \"" + serial + "\"";
    }
  }

  /// The configuration key of the selector, for error texts.
  default String key() {
    return switch (this) {
      case ByLabel _ -> "token.label";
      case BySerial _ -> "token.serial";
    };
  }

  default boolean fits(TokenInfo info) {
    return switch (this) {
      case ByLabel(var label) -> info.label().equals(label);
      case BySerial(var serial) -> info.serial().equals(serial);
    };
  }

  /// Description of a token that was not found yet: only the label or serial number of the
  /// selector.
  default TokenInfo unseen() {
    return switch (this) {
      case ByLabel(var label) -> new TokenInfo(label, "", "", "", OptionalLong.empty());
      case BySerial(var serial) -> new TokenInfo("", serial, "", "", OptionalLong.empty());
    };
  }
}
