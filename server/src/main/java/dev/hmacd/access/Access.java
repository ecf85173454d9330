package dev.hmacd.access;

import com.google.errorprone.annotations.ThreadSafe;
import dev.hmacd.key.Key;
import java.util.ArrayList;
import java.util.List;

/// Authorization by rules. A rule allows actions; no rule denies an action. Without a rule, no
/// action is allowed.
@ThreadSafe
public final class Access {
  /// A rule with its positive decision, which is allocated once.
  private record RuleDecision(Rule rule, Decision.Allowed allowed) {}

  /// An immutable set of rules. The object identity of a set is the version of the rules.
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

  /// Replaces the rules. The next decision uses the new rules. The version does not change if the
  /// new rules are the current rules.
  ///
  /// @return the difference between the previous and the new rules
  public RuleDifference replace(List<Rule> newRules) {
    List<Rule> before = current.entries().stream().map(RuleDecision::rule).toList();
    if (!before.equals(newRules)) {
      current = RuleSet.of(newRules);
    }
    return RuleDifference.between(before, newRules);
  }

  /// Version of the current rules: an opaque object, to be compared by identity. A decision is
  /// current while the version is the same object as immediately before the decision.
  public Object version() {
    return current;
  }

  /// Decides whether a principal may perform an action on a key. The decision does not depend on
  /// the name of the key in the request.
  public Decision decide(Principal principal, Action action, Key key) {
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

  /// Decides whether a principal may perform an action on all keys, existing or not.
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

  /// Whether any rule is for a principal.
  public boolean isNamed(Principal principal) {
    for (RuleDecision entry : current.entries()) {
      if (isFor(entry.rule(), principal)) {
        return true;
      }
    }
    return false;
  }

  private static boolean isFor(Rule rule, Principal principal, Action action) {
    return rule.actions().contains(action) && isFor(rule, principal);
  }

  private static boolean isFor(Rule rule, Principal principal) {
    for (PrincipalPattern pattern : rule.principals()) {
      if (pattern.fits(principal)) {
        return true;
      }
    }
    return false;
  }
}
