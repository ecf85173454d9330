package dev.hmacd.registry.cache;

/// The state of the registry to which all cached entries belong.
///
/// @param position the newest change that the entries contain
/// @param generation number of advances of the cut since the start of the process; differs after
///   each change
public record Cut(Position position, long generation) {
  Cut advancedTo(Position newer) {
    return new Cut(newer, generation + 1);
  }
}
