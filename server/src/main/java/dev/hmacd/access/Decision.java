package dev.hmacd.access;

/// An access decision about a principal, an action and a key, with the rule that allows the action
/// or the reason of the denial.
public sealed interface Decision {
  /// No rule allows the action.
  Denied NO_RULE = new Denied("no rule allows the action");

  /// Whether the action is allowed.
  boolean isAllowed();

  /// The action is allowed.
  ///
  /// @param rule index of the first rule that allows the action, in the order of the configuration,
  ///   from 0
  record Allowed(int rule) implements Decision {
    @Override
    public boolean isAllowed() {
      return true;
    }
  }

  /// The action is denied.
  ///
  /// @param reason a constant text, which callers do not get
  record Denied(String reason) implements Decision {
    @Override
    public boolean isAllowed() {
      return false;
    }
  }
}
