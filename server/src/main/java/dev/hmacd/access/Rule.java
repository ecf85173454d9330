package dev.hmacd.access;

import dev.hmacd.key.Alias;
import dev.hmacd.key.Key;
import dev.hmacd.key.KeyId;
import java.util.List;
import java.util.Set;

/// An access rule: its principals may perform its actions on its keys.
///
/// @param principals patterns of the principals that may perform the actions
/// @param actions the allowed actions
/// @param keys patterns of the keys on which the actions are allowed
public record Rule(List<PrincipalPattern> principals, Set<Action> actions, List<KeyPattern> keys) {
  public Rule {
    principals = List.copyOf(principals);
    actions = Set.copyOf(actions);
    keys = List.copyOf(keys);
    if (principals.isEmpty() || actions.isEmpty() || keys.isEmpty()) {
      throw new IllegalArgumentException("a rule must name at least one principal, action and key");
    }
    boolean all = keys.stream().anyMatch(KeyPattern.All.class::isInstance);
    List<Action> needAll =
        actions.stream().filter(action -> !action.isForOneKey()).sorted().toList();
    if (!all && !needAll.isEmpty()) {
      throw new IllegalArgumentException(needAll + " can only be allowed with keys: [\"*\"]");
    }
  }

  /// A pattern for keys: all keys, one key id, or keys by the name or prefix of an alias.
  public sealed interface KeyPattern {
    record All() implements KeyPattern {}

    record Id(KeyId id) implements KeyPattern {}

    /// Keys that have an alias with this name or prefix at the time of the decision.
    record Named(String text, boolean isPrefix) implements KeyPattern {}

    /// Parses `*`, a key id, `alias/NAME` or `alias/PREFIX*`.
    static KeyPattern parse(String pattern) {
      if (pattern.equals("*")) {
        return new All();
      }
      boolean prefix = pattern.endsWith("*");
      String text = prefix ? pattern.substring(0, pattern.length() - 1) : pattern;
      if (text.startsWith(Alias.PREFIX)) {
        boolean anyAlias = prefix && text.equals(Alias.PREFIX);
        if (!anyAlias && !Alias.FORM.matcher(text).matches()) {
          throw new IllegalArgumentException("an alias must match " + Alias.FORM);
        }
        return new Named(text, prefix);
      }
      return KeyId.parse(pattern)
          .<KeyPattern>map(Id::new)
          .orElseThrow(
              () ->
                  new IllegalArgumentException(
                      "a key must be \"*\", a key id, alias/NAME or alias/PREFIX*"));
    }

    default boolean fits(Key key) {
      return switch (this) {
        case All() -> true;
        case Id(var id) -> key.id().equals(id);
        case Named(var text, var isPrefix) -> {
          for (Alias alias : key.aliases()) {
            if (isPrefix ? alias.name().startsWith(text) : alias.name().equals(text)) {
              yield true;
            }
          }
          yield false;
        }
      };
    }
  }
}
