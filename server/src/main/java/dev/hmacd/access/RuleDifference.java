package dev.hmacd.access;

import java.util.ArrayList;
import java.util.List;

/// The difference between two sets of rules. The order of rules has no meaning.
///
/// @param added number of rules with new principals
/// @param removed number of rules whose principals have no rule in their place
/// @param changed number of rules with the same principals, and other actions or keys
public record RuleDifference(int added, int removed, int changed) {
  static RuleDifference between(List<Rule> before, List<Rule> after) {
    List<Rule> removed = new ArrayList<>(before);
    List<Rule> added = new ArrayList<>();
    for (Rule rule : after) {
      if (!removed.remove(rule)) {
        added.add(rule);
      }
    }
    List<List<PrincipalPattern>> principals = new ArrayList<>();
    removed.forEach(rule -> principals.add(rule.principals()));
    int changed = 0;
    for (Rule rule : added) {
      if (principals.remove(rule.principals())) {
        changed++;
      }
    }
    return new RuleDifference(added.size() - changed, removed.size() - changed, changed);
  }

  /// Whether both sets have the same rules.
  public boolean isEmpty() {
    return added == 0 && removed == 0 && changed == 0;
  }
}
