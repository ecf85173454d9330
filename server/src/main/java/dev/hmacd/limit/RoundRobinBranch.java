package dev.hmacd.limit;

import java.util.ArrayDeque;
import java.util.Comparator;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;
import java.util.function.ToIntFunction;
import org.jspecify.annotations.Nullable;

/// A node with child nodes, which take turns: the root, an account or an issuer.
final class RoundRobinBranch<E> extends RoundRobinNode<E> {
  /// Maximum number of children with names of their own. All further names share one more child.
  static final int MAX_CHILDREN = 1024;

  private static final String FURTHER_NAMES = "";

  /// Bound on the memory of [#sharing]. At the bound, all further names share the child.
  static final int MAX_SHARING = 4 * MAX_CHILDREN;

  private final Map<String, RoundRobinNode<E>> children = new HashMap<>();

  /// Names that have or had elements in the shared child, until the shared child is empty. A name
  /// must not have elements in two children: its newer ones could overtake its older ones.
  private final Set<String> sharing = new HashSet<>();

  /// The children in the order of their turns. A child without elements leaves at its turn, unless
  /// it has a debt.
  private final Deque<RoundRobinNode<E>> turns = new ArrayDeque<>();

  /// @param parent null for the root
  RoundRobinBranch(@Nullable RoundRobinNode<E> parent, String name, ToIntFunction<E> placesOf) {
    super(parent, name, placesOf);
  }

  /// The child for a name; null if there is none.
  @Nullable RoundRobinNode<E> child(String owner) {
    return children.get(nameFor(owner));
  }

  /// The child branch for a name. Creates the branch if the name has no child.
  RoundRobinBranch<E> branch(String owner) {
    String child = nameForMore(owner);
    return children.get(child) instanceof RoundRobinBranch<E> known
        ? known
        : added(new RoundRobinBranch<>(this, child, placesOf));
  }

  /// The child leaf for a name. Creates the leaf if the name has no child.
  RoundRobinLeaf<E> leaf(String owner) {
    String child = nameForMore(owner);
    return children.get(child) instanceof RoundRobinLeaf<E> known
        ? known
        : added(new RoundRobinLeaf<>(this, child, placesOf));
  }

  private String nameFor(String owner) {
    RoundRobinNode<E> shared = children.get(FURTHER_NAMES);
    if (shared == null || shared.size == 0) {
      sharing.clear();
    }
    boolean hasRoom =
        children.size() < MAX_CHILDREN && sharing.size() < MAX_SHARING && !sharing.contains(owner);
    return hasRoom || children.containsKey(owner) ? owner : FURTHER_NAMES;
  }

  /// As [#nameFor], for a further element.
  private String nameForMore(String owner) {
    String child = nameFor(owner);
    if (child.equals(FURTHER_NAMES) && sharing.size() < MAX_SHARING) {
      sharing.add(owner);
    }
    return child;
  }

  private <N extends RoundRobinNode<E>> N added(N child) {
    children.put(child.name, child);
    turns.addLast(child);
    return child;
  }

  /// The child whose turn it is. A turn ends when the balance of the child is used up. The balance
  /// increases by 1 at the end of each turn. At least one child must have elements.
  RoundRobinNode<E> next() {
    while (true) {
      RoundRobinNode<E> first = turns.getFirst();
      if (first.size > 0 && first.balance > 0) {
        return first;
      }
      turns.removeFirst();
      if (first.size == 0 && first.balance >= 0) {
        children.remove(first.name);
      } else {
        first.balance++;
        turns.addLast(first);
      }
    }
  }

  /// The child with the most places; null if there is no child.
  @Nullable RoundRobinNode<E> largest() {
    return turns.stream().max(Comparator.comparingInt(child -> child.places)).orElse(null);
  }

  @Override
  void removeIf(Predicate<E> predicate, List<E> removed) {
    turns.forEach(child -> child.removeIf(predicate, removed));
  }
}
