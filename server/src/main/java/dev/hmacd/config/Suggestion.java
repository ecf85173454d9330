package dev.hmacd.config;

import java.util.Collection;
import java.util.Comparator;
import java.util.Optional;

/// Finds the known name that a mistyped name most resembles.
final class Suggestion {
  /// A name of this many characters may have one wrong character.
  private static final int CHARACTERS_PER_MISTAKE = 3;

  private Suggestion() {}

  /// The known name with the smallest edit distance; empty if each differs too much.
  static Optional<String> of(String given, Collection<String> known) {
    int limit = Math.max(1, given.length() / CHARACTERS_PER_MISTAKE);
    return known.stream()
        .filter(name -> distance(given, name) <= limit)
        .min(
            Comparator.comparingInt((String name) -> distance(given, name))
                .thenComparing(Comparator.naturalOrder()));
  }

  /// The Levenshtein distance of two names.
  private static int distance(String one, String other) {
    int[] above = new int[other.length() + 1];
    for (int j = 0; j <= other.length(); j++) {
      above[j] = j;
    }
    for (int i = 1; i <= one.length(); i++) {
      int[] row = new int[other.length() + 1];
      row[0] = i;
      for (int j = 1; j <= other.length(); j++) {
        int replaced = above[j - 1] + (one.charAt(i - 1) == other.charAt(j - 1) ? 0 : 1);
        row[j] = Math.min(replaced, Math.min(above[j], row[j - 1]) + 1);
      }
      above = row;
    }
    return above[other.length()];
  }
}
