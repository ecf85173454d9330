package dev.hmacd.access;

/// The decision about a principal, an action and a key, with the rule or the reason of the
/// decision.
public sealed interface Decision {
  /// No rule allows the action.
  Denied NO_RULE = new Denied("no rule allows the action");

  /// Whether the action is allowed.
  boolean isAllowed();

  /// The action is allowed.
  ///
  /// @param rule the first rule that allows it: its position in the configuration, from 0
  record Allowed(int rule) implements Decision {
    @Override
    public boolean isAllowed() {
      return true;
    }
  }

  /// The action is denied.
  ///
  /// @param reason a constant text for audit and logs
  record Denied(String reason) implements Decision {
    @Override
    public boolean isAllowed() {
      return false;
    }
  }
}
