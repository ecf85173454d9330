package dev.hmacd.access;

import com.google.errorprone.annotations.ThreadSafe;
import dev.hmacd.key.KeyEntry;
import java.util.List;

/// Authorization by rules. Without a rule nothing is allowed. Rules only allow; no rule forbids.
@ThreadSafe
public final class Access {
  private volatile List<Rule> rules;

  public Access(List<Rule> rules) {
    this.rules = List.copyOf(rules);
  }

  /// Replaces the rules, from the next decision on.
  public void replace(List<Rule> newRules) {
    rules = List.copyOf(newRules);
  }

  /// Whether the rules allow an action on a key, for any name of the key in the request.
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

  /// Whether the rules allow an action on all keys, also on keys that do not exist.
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
