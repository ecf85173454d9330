package dev.hmacd.access;

import com.google.errorprone.annotations.ThreadSafe;
import dev.hmacd.key.KeyEntry;
import java.util.List;

/// Decides who may do what. By default nothing is allowed; rules allow, and none forbids.
@ThreadSafe
public final class Access {
  private volatile List<Rule> rules;

  public Access(List<Rule> rules) {
    this.rules = List.copyOf(rules);
  }

  /// Puts rules in place of those before; the next decision is made by them.
  public void replace(List<Rule> newRules) {
    rules = List.copyOf(newRules);
  }

  /// Whether a principal may do this with a key, by whatever name it called the key.
  public boolean allows(Principal principal, Action action, KeyEntry key) {
    for (Rule rule : rules) {
      if (isFor(rule, principal, action)) {
        for (Rule.KeyPattern pattern : rule.keys()) {
          if (pattern.fits(key)) {
            return true;
          }
        }
      }
    }
    return false;
  }

  /// Whether a principal may do this with every key, also with those that do not exist.
  public boolean allowsOnAllKeys(Principal principal, Action action) {
    for (Rule rule : rules) {
      if (isFor(rule, principal, action)) {
        for (Rule.KeyPattern pattern : rule.keys()) {
          if (pattern instanceof Rule.KeyPattern.All) {
            return true;
          }
        }
      }
    }
    return false;
  }

  private static boolean isFor(Rule rule, Principal principal, Action action) {
    if (!rule.actions().contains(action)) {
      return false;
    }
    for (Rule.PrincipalPattern pattern : rule.principals()) {
      if (pattern.fits(principal)) {
        return true;
      }
    }
    return false;
  }
}
