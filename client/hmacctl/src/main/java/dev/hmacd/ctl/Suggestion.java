package dev.hmacd.ctl;

import java.util.List;
import java.util.Locale;
import java.util.Optional;

/// Finds the known name that a mistyped name probably stands for.
final class Suggestion {
  private static final int MAX_EDITS = 2;

  private Suggestion() {}

  /// A hint with the known name that is nearest to a name; empty if no known name is near.
  static String hint(String given, List<String> known) {
    return nearest(given, known).map(name -> "Did you mean '" + name + "'?").orElse("");
  }

  /// The known name with the fewest edits, at most two, without regard to case. Half of the name
  /// must be equal, so that a short name does not stand for any other short name.
  static Optional<String> nearest(String given, List<String> known) {
    Optional<String> nearest = Optional.empty();
    int fewest = MAX_EDITS + 1;
    for (String name : known) {
      int edits = edits(given.toLowerCase(Locale.ROOT), name.toLowerCase(Locale.ROOT));
      if (edits < fewest && 2 * edits <= name.replace("-", "").length()) {
        nearest = Optional.of(name);
        fewest = edits;
      }
    }
    return nearest;
  }

  /// The Levenshtein distance: the number of inserted, deleted and replaced characters.
  private static int edits(String from, String to) {
    if (Math.abs(from.length() - to.length()) > MAX_EDITS) {
      return MAX_EDITS + 1;
    }
    int[] previous = new int[to.length() + 1];
    for (int j = 0; j <= to.length(); j++) {
      previous[j] = j;
    }
    for (int i = 1; i <= from.length(); i++) {
      int[] row = new int[to.length() + 1];
      row[0] = i;
      for (int j = 1; j <= to.length(); j++) {
        int replaced = previous[j - 1] + (from.charAt(i - 1) == to.charAt(j - 1) ? 0 : 1);
        row[j] = Math.min(replaced, 1 + Math.min(previous[j], row[j - 1]));
      }
      previous = row;
    }
    return previous[to.length()];
  }
}
