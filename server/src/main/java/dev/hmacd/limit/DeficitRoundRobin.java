package dev.hmacd.limit;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;
import java.util.function.ToIntFunction;
import org.jspecify.annotations.Nullable;

/// Queue with a fair order of owners: hierarchical deficit round robin (Shreedhar and Varghese,
/// "Efficient Fair Queuing Using Deficit Round Robin", 1995). The accounts take turns, then the
/// issuers of an account, then the principals of an issuer. The elements of one principal keep
/// their order.
///
/// A turn is counted in costs. An element may cost more than the balance of its owner. The owner
/// then has a debt, and its next elements wait for as many turns of the other owners. A debt
/// outlives the elements of its owner. A debt has no effect while no other owner waits.
///
/// Not thread-safe.
///
/// @param <E> the elements
public final class DeficitRoundRobin<E> {
  private final ToIntFunction<E> cost;
  private final RoundRobinBranch<E> accounts;

  /// @param cost the cost of an element, 1 or more
  /// @param places the places that an element takes in the queue, 1 or more
  public DeficitRoundRobin(ToIntFunction<E> cost, ToIntFunction<E> places) {
    this.cost = cost;
    this.accounts = new RoundRobinBranch<>(null, "accounts", places);
  }

  /// Number of elements.
  public int size() {
    return accounts.size;
  }

  /// Number of places of all elements.
  public int places() {
    return accounts.places;
  }

  /// Adds an element behind the other elements of its owner.
  public void add(Owner owner, E element) {
    leaf(owner).add(element);
  }

  /// Removes and returns the next element; null if the queue is empty.
  public @Nullable E poll() {
    if (accounts.size == 0) {
      return null;
    }
    RoundRobinNode<E> node = accounts;
    while (true) {
      switch (node) {
        case RoundRobinBranch<E> branch -> node = branch.next();
        case RoundRobinLeaf<E> leaf -> {
          E next = leaf.removeFirst();
          leaf.charge(cost.applyAsInt(next));
          return next;
        }
      }
    }
  }

  /// Subtracts a cost from the balance of an owner, in addition to the costs of its elements.
  public void charge(Owner owner, int further) {
    if (accounts.size > 0) { // Otherwise, no owner waits.
      leaf(owner).charge(further);
    }
  }

  private RoundRobinLeaf<E> leaf(Owner owner) {
    return accounts.branch(owner.account()).branch(owner.issuer()).leaf(owner.principal());
  }

  /// Makes room for an element of an owner. Compares the accounts, then the issuers of the account,
  /// then the principals of the issuer. At the first level at which the largest node is not the
  /// owner's, that node loses the newest element of its largest principal, if it then still has as
  /// many places as the owner's node with the new element. Otherwise, two owners could evict each
  /// other's elements by turns.
  ///
  /// Visits the children of one node at each level.
  ///
  /// @param places the places of the new element
  /// @return the removed element; null if that node would have fewer places, or the owner's node is
  ///   the largest at each level
  public @Nullable E evictFor(Owner owner, int places) {
    RoundRobinBranch<E> level = accounts;
    for (String name : List.of(owner.account(), owner.issuer(), owner.principal())) {
      RoundRobinNode<E> own = level.child(name);
      RoundRobinNode<E> largest = level.largest();
      if (largest == null) {
        return null;
      }
      if (largest != own) {
        RoundRobinLeaf<E> loser = largestLeaf(largest);
        if (loser == null || loser.size == 0) {
          return null;
        }
        int withNew = (own == null ? 0 : own.places) + places;
        return largest.places - loser.newestPlaces() < withNew ? null : loser.removeLast();
      }
      if (!(own instanceof RoundRobinBranch<E> branch)) {
        return null;
      }
      level = branch;
    }
    return null;
  }

  private static <E> @Nullable RoundRobinLeaf<E> largestLeaf(RoundRobinNode<E> largest) {
    RoundRobinNode<E> node = largest;
    while (node instanceof RoundRobinBranch<E> branch) {
      node = branch.largest();
    }
    return node instanceof RoundRobinLeaf<E> leaf ? leaf : null;
  }

  /// The principal with the most places, of the account and the issuer with the most places, and
  /// the number of its elements. Its name is empty for principals beyond the maximum number of
  /// names.
  ///
  /// Visits the children of one node at each level.
  ///
  /// @return null if the queue is empty
  public @Nullable LargestShare largest() {
    RoundRobinLeaf<E> leaf = largestLeaf(accounts);
    return leaf == null || leaf.size == 0 ? null : new LargestShare(leaf.name, leaf.size);
  }

  /// Whether an owner has an element in this queue.
  public boolean contains(Owner owner) {
    return accounts.child(owner.account()) instanceof RoundRobinBranch<E> account
        && account.child(owner.issuer()) instanceof RoundRobinBranch<E> issuer
        && issuer.child(owner.principal()) instanceof RoundRobinLeaf<E> principal
        && principal.size > 0;
  }

  /// Removes the elements that a predicate selects.
  ///
  /// @return the removed elements
  public List<E> removeIf(Predicate<E> predicate) {
    List<E> removed = new ArrayList<>();
    accounts.removeIf(predicate, removed);
    return removed;
  }
}
