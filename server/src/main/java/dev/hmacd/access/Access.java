package dev.hmacd.access;

import com.google.errorprone.annotations.ThreadSafe;
import dev.hmacd.key.KeyEntry;
import java.util.ArrayList;
import java.util.List;

/// Authorization by rules. Without a rule nothing is allowed. Rules only allow; no rule forbids.
@ThreadSafe
public final class Access {
  /// A rule with its decision, so that a decision allocates nothing.
  private record RuleDecision(Rule rule, Decision.Allowed allowed) {}

  /// One set of rules. A new set is another object.
  private record RuleSet(List<RuleDecision> entries) {
    static RuleSet of(List<Rule> rules) {
      List<RuleDecision> entries = new ArrayList<>();
      for (int i = 0; i < rules.size(); i++) {
        entries.add(new RuleDecision(rules.get(i), new Decision.Allowed(i)));
      }
      return new RuleSet(List.copyOf(entries));
    }
  }

  private volatile RuleSet current;

  public Access(List<Rule> rules) {
    this.current = RuleSet.of(rules);
  }

  /// Replaces the rules, from the next decision on.
  public void replace(List<Rule> newRules) {
    current = RuleSet.of(newRules);
  }

  /// Identity of the current rules. A decision is current while this object is the same as before
  /// the decision.
  public Object version() {
    return current;
  }

  /// Decides about an action on a key, for any name of the key in the request.
  public Decision decide(Principal principal, Action action, KeyEntry key) {
    for (RuleDecision entry : current.entries()) {
      if (isFor(entry.rule(), principal, action)) {
        for (Rule.KeyPattern pattern : entry.rule().keys()) {
          if (pattern.fits(key)) {
            return entry.allowed();
          }
        }
      }
    }
    return Decision.NO_RULE;
  }

  /// Decides about an action on all keys, also on keys that do not exist.
  public Decision decideOnAllKeys(Principal principal, Action action) {
    for (RuleDecision entry : current.entries()) {
      if (isFor(entry.rule(), principal, action)) {
        for (Rule.KeyPattern pattern : entry.rule().keys()) {
          if (pattern instanceof Rule.KeyPattern.All) {
            return entry.allowed();
          }
        }
      }
    }
    return Decision.NO_RULE;
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
