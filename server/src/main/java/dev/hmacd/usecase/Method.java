package dev.hmacd.usecase;

import dev.hmacd.access.Action;
import java.util.Optional;

/// A method of the contract, with the action that the caller needs. All edges use the same methods.
///
/// @param name e.g. `GenerateMac`; a constant, never a text from a request, because metrics have it
///   as a label
/// @param action the action that a rule must allow; empty for methods without authorization, such
///   as health checks
public record Method(String name, Optional<Action> action) {
  /// A request for a method that does not exist.
  public static final Method UNKNOWN = new Method("unknown", Optional.empty());

  /// Returns the method with a name, and the action of the same name if that action exists.
  public static Method named(String name) {
    return new Method(name, Action.named(name));
  }
}
