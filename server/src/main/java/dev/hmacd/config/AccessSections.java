package dev.hmacd.config;

import dev.hmacd.access.Action;
import dev.hmacd.access.PrincipalPattern;
import dev.hmacd.access.Rule;
import java.util.ArrayList;
import java.util.EnumSet;
import java.util.List;
import java.util.Set;

/// Reads the access rules of the configuration file.
final class AccessSections {
  private AccessSections() {}

  /// Reads the section `access`.
  static List<Rule> rules(Section section) {
    List<Rule> rules = new ArrayList<>();
    for (Section rule : section.sections("rules")) {
      var principals = rule.list("principals", PrincipalPattern::parse);
      var actions = actions(rule);
      var keys = rule.list("keys", Rule.KeyPattern::parse);
      rule.done();
      if (!principals.isEmpty() && !actions.isEmpty() && !keys.isEmpty()) {
        try {
          rules.add(new Rule(principals, actions, keys));
        } catch (IllegalArgumentException e) {
          rule.problem("keys", String.valueOf(e.getMessage()));
        }
      }
    }
    section.done();
    return rules;
  }

  private static Set<Action> actions(Section rule) {
    Set<Action> actions = EnumSet.noneOf(Action.class);
    rule.list("actions", AccessSections::actions).forEach(actions::addAll);
    return actions;
  }

  private static Set<Action> actions(String text) {
    if (text.equals("*")) {
      return EnumSet.allOf(Action.class);
    }
    for (Action action : Action.values()) {
      if (action.toString().equals(text)) {
        return EnumSet.of(action);
      }
    }
    throw new IllegalArgumentException("must be \"*\" or one of " + List.of(Action.values()));
  }
}
