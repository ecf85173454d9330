package dev.hmacd.usecase;

import dev.hmacd.access.Action;
import java.util.Optional;

/// A method of the contract, with the action that an access rule must allow. All edges use the same
/// methods.
///
/// @param name a constant such as `GenerateMac`; never text from a request, because the name is a
///   metric label
/// @param action the action that a rule must allow; empty for methods without authorization, such
///   as health checks
public record Method(String name, Optional<Action> action) {
  /// A request for a method that does not exist.
  public static final Method UNKNOWN = new Method("unknown", Optional.empty());

  /// Returns the method with this name. The method has the action of the same name, if that action
  /// exists.
  public static Method named(String name) {
    return new Method(name, Action.named(name));
  }
}
