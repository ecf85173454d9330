package dev.hmacd.limit;

import java.util.List;
import java.util.function.Predicate;
import java.util.function.ToIntFunction;
import org.jspecify.annotations.Nullable;

/// A node in the tree of a [DeficitRoundRobin].
abstract sealed class RoundRobinNode<E> permits RoundRobinBranch, RoundRobinLeaf {
  /// Maximum debt of a node, in costs. Bounds how long an owner waits after expensive elements. Not
  /// less than the cost of the most expensive element, the MAC of a message of 1 MiB: its owner
  /// would have more than its share.
  static final int MAX_DEBT = 256;

  private final @Nullable RoundRobinNode<E> parent;
  final String name;

  /// The places that an element takes in the queue.
  final ToIntFunction<E> placesOf;

  /// Number of elements of this node and of all nodes below it.
  int size;

  /// Number of places of these elements.
  int places;

  /// The cost that this node may still use at its turn. A negative balance is a debt.
  int balance = 1;

  /// @param parent null for the root
  RoundRobinNode(@Nullable RoundRobinNode<E> parent, String name, ToIntFunction<E> placesOf) {
    this.parent = parent;
    this.name = name;
    this.placesOf = placesOf;
  }

  /// Removes the elements that match the predicate, in this node and in all nodes below it.
  ///
  /// @param removed gets the removed elements
  abstract void removeIf(Predicate<E> predicate, List<E> removed);

  /// Adds to the number of elements of this node and of all nodes above it, and to their places.
  final void resize(int change, int changeOfPlaces) {
    for (RoundRobinNode<E> node = this; node != null; node = node.parent) {
      node.size += change;
      node.places += changeOfPlaces;
    }
  }

  /// Subtracts a cost from the balance of this node and of all nodes above it.
  final void charge(int cost) {
    for (RoundRobinNode<E> node = this; node != null; node = node.parent) {
      node.balance = Math.max(node.balance - cost, -MAX_DEBT);
    }
  }
}
