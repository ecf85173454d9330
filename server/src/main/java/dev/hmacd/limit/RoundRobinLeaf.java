package dev.hmacd.limit;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.function.Predicate;
import java.util.function.ToIntFunction;

/// A node with the elements of one principal, in order of arrival.
final class RoundRobinLeaf<E> extends RoundRobinNode<E> {
  private final Deque<E> elements = new ArrayDeque<>();

  RoundRobinLeaf(RoundRobinNode<E> parent, String name, ToIntFunction<E> placesOf) {
    super(parent, name, placesOf);
  }

  void add(E element) {
    elements.addLast(element);
    resize(1, placesOf.applyAsInt(element));
  }

  /// Removes the oldest element.
  E removeFirst() {
    E oldest = elements.removeFirst();
    resize(-1, -placesOf.applyAsInt(oldest));
    return oldest;
  }

  /// The places of the newest element.
  int newestPlaces() {
    return placesOf.applyAsInt(elements.getLast());
  }

  /// Removes the newest element.
  E removeLast() {
    E newest = elements.removeLast();
    resize(-1, -placesOf.applyAsInt(newest));
    return newest;
  }

  @Override
  void removeIf(Predicate<E> predicate, List<E> removed) {
    int before = removed.size();
    elements.removeIf(
        element -> {
          boolean selected = predicate.test(element);
          if (selected) {
            removed.add(element);
          }
          return selected;
        });
    List<E> own = removed.subList(before, removed.size());
    resize(-own.size(), -own.stream().mapToInt(placesOf).sum());
  }
}
