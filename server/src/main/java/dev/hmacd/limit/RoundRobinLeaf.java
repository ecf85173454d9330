package dev.hmacd.limit;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import java.util.function.Predicate;

/// A node with the elements of one principal, in order of arrival.
final class RoundRobinLeaf<E> extends RoundRobinNode<E> {
  private final Deque<E> elements = new ArrayDeque<>();

  RoundRobinLeaf(RoundRobinNode<E> parent, String name) {
    super(parent, name);
  }

  void add(E element) {
    elements.addLast(element);
    resize(1);
  }

  /// Removes the oldest element.
  E removeFirst() {
    E oldest = elements.removeFirst();
    resize(-1);
    return oldest;
  }

  /// Removes the newest element.
  E removeLast() {
    E newest = elements.removeLast();
    resize(-1);
    return newest;
  }

  @Override
  void removeIf(Predicate<E> predicate, List<E> removed) {
    int before = elements.size();
    elements.removeIf(
        element -> {
          boolean selected = predicate.test(element);
          if (selected) {
            removed.add(element);
          }
          return selected;
        });
    resize(elements.size() - before);
  }
}
