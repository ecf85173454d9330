package dev.hmacd.usecase;

import java.util.List;
import java.util.Optional;
import java.util.function.Function;

/// A page of a list.
///
/// @param nextToken the page token of the next page; empty on the last page
public record Page<T>(List<T> items, Optional<String> nextToken) {
  <R> Page<R> map(Function<T, R> change) {
    return new Page<>(items.stream().map(change).toList(), nextToken);
  }

  /// @param found the items of the page, plus one item if the list continues after the page
  static <T> Page<T> of(List<T> found, PageRequest request, Function<T, String> name) {
    if (found.size() <= request.size()) {
      return new Page<>(List.copyOf(found), Optional.empty());
    }
    List<T> items = List.copyOf(found.subList(0, request.size()));
    return new Page<>(items, Optional.of(request.tokenAfter(name.apply(items.getLast()))));
  }
}
