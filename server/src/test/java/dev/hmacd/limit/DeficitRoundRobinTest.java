package dev.hmacd.limit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.Function;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

final class DeficitRoundRobinTest {
  /// An element of a test.
  private record Work(Owner owner, int cost, int places, int number) {
    Work(Owner owner, int cost, int number) {
      this(owner, cost, 1, number);
    }
  }

  private final DeficitRoundRobin<Work> queue = new DeficitRoundRobin<>(Work::cost, Work::places);
  private int number;

  private static Owner owner(String principal) {
    return Owner.of("issuer", principal);
  }

  private void add(Owner owner, int cost, int times) {
    for (int i = 0; i < times; i++) {
      queue.add(owner, new Work(owner, cost, number++));
    }
  }

  private void add(String principal, int times) {
    add(owner(principal), 1, times);
  }

  private List<Work> poll(int times) {
    List<Work> polled = new ArrayList<>();
    for (int i = 0; i < times; i++) {
      Work next = queue.poll();
      assertThat(next).isNotNull();
      polled.add(next);
    }
    return polled;
  }

  private List<String> principals(int times) {
    return poll(times).stream().map(each -> each.owner().principal()).toList();
  }

  private Map<String, Integer> served(int times, Function<Owner, String> name) {
    Map<String, Integer> costs = new HashMap<>();
    poll(times).forEach(each -> costs.merge(name.apply(each.owner()), each.cost(), Integer::sum));
    return costs;
  }

  @Test
  void emptyQueueHasNoElement() {
    assertThat(queue.poll()).isNull();
    assertThat(queue.largest()).isNull();
    assertThat(queue.size()).isZero();
    add("a", 1);
    assertThat(poll(1)).hasSize(1);
    assertThat(queue.poll()).isNull();
  }

  @Test
  void elementsOfOneOwnerKeepTheirOrder() {
    add("a", 5);
    assertThat(poll(5)).extracting(Work::number).containsExactly(0, 1, 2, 3, 4);
  }

  @Test
  void principalsOfOneIssuerTakeTurns() {
    add("a", 3);
    add("b", 2);
    add("c", 1);
    assertThat(principals(6)).containsExactly("a", "b", "c", "a", "b", "a");
  }

  @Test
  void newPrincipalWaitsForOneTurnOfTheOthers() {
    add("a", 100);
    var _ = poll(10);
    add("b", 1);
    assertThat(principals(2)).contains("b");
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 50, 2000})
  void shareOfAnIssuerDoesNotGrowWithItsNames(int names) {
    for (int i = 0; i < 4000; i++) {
      add(Owner.of("greedy", "name " + i % names), 1, 1);
    }
    add(Owner.of("modest", "one"), 1, 100);
    assertThat(served(200, Owner::issuer)).containsEntry("modest", 100);
  }

  @Test
  void shareOfAnAccountDoesNotGrowWithItsIssuers() {
    for (int i = 0; i < 10; i++) {
      add(Owner.of("issuer " + i, "a"), 1, 20);
    }
    add(Owner.DAEMON, 1, 20);
    assertThat(served(40, Owner::principal)).containsEntry("daemon", 20);
  }

  @Test
  void turnsAreCountedInCosts() {
    add(owner("expensive"), 8, 100);
    add(owner("cheap"), 1, 800);
    Map<String, Integer> costs = served(450, Owner::principal);
    assertThat(costs.get("cheap")).isCloseTo(costs.get("expensive"), within(8));
  }

  /// The cost of the longest message.
  @Test
  void mostExpensiveElementHasNoMoreThanItsShare() {
    add(owner("expensive"), 256, 10);
    add(owner("cheap"), 1, 2000);
    Map<String, Integer> costs = served(1000, Owner::principal);
    assertThat(costs.get("cheap")).isCloseTo(costs.get("expensive"), within(256));
  }

  @Test
  void furtherCostCountsForTheTurnsOfItsOwner() {
    add("loads keys", 100);
    add("other", 100);
    List<String> order = new ArrayList<>();
    for (int i = 0; i < 50; i++) {
      Work next = poll(1).getFirst();
      order.add(next.owner().principal());
      if (next.owner().principal().equals("loads keys")) {
        queue.charge(next.owner(), 4);
      }
    }
    assertThat(order).filteredOn("loads keys"::equals).hasSizeBetween(8, 10);
  }

  /// Otherwise an owner whose elements arrive one by one would never pay.
  @Test
  void debtOutlivesTheElementsOfItsOwner() {
    add(owner("debtor"), 8, 1);
    add("other", 100);
    var _ = poll(2);
    add("debtor", 1);
    assertThat(principals(6)).containsOnly("other");
    assertThat(principals(3)).contains("debtor");
  }

  @Test
  void debtHasNoEffectWhileNoOtherOwnerWaits() {
    add(owner("debtor"), 1000, 2);
    assertThat(poll(2)).hasSize(2);
    add("debtor", 1);
    assertThat(poll(1)).hasSize(1);
  }

  @Test
  void debtHasABound() {
    add(owner("debtor"), 100_000, 1);
    add("debtor", 1);
    add("other", 1000);
    assertThat(principals(RoundRobinNode.MAX_DEBT + 4)).filteredOn("debtor"::equals).hasSize(2);
  }

  @Test
  void fullQueueEvictsTheNewestElementOfTheLargestOwner() {
    add("small", 2);
    assertThat(queue.largest()).isEqualTo(new LargestShare("small", 2));
    add("large", 4);
    assertThat(queue.largest()).isEqualTo(new LargestShare("large", 4));
    Work evicted = queue.evictFor(owner("small"), 1);
    assertThat(evicted).isEqualTo(new Work(owner("large"), 1, 5));
    assertThat(queue.size()).isEqualTo(5);
    assertThat(queue.evictFor(owner("small"), 1)).isNull(); // It would have as many.
    assertThat(queue.evictFor(owner("large"), 1)).isNull();
    assertThat(queue.evictFor(owner("new"), 1)).isNotNull();
  }

  private void addLong(String principal, int places, int times) {
    for (int i = 0; i < times; i++) {
      queue.add(owner(principal), new Work(owner(principal), 1, places, number++));
    }
  }

  @Test
  void ownerWithTheMostPlacesIsTheLargest() {
    add("many", 10);
    addLong("long", 16, 2);
    assertThat(queue.places()).isEqualTo(42);
    assertThat(queue.largest()).isEqualTo(new LargestShare("long", 2));
    assertThat(queue.evictFor(owner("many"), 1)).extracting(Work::number).isEqualTo(11);
    assertThat(queue.places()).isEqualTo(26);
    // The owner of long elements would have fewer places than the other.
    assertThat(queue.evictFor(owner("many"), 1)).isNull();
  }

  @Test
  void longElementEvictsOnlyFromOwnersThatStayAsLarge() {
    add("many", 20);
    for (int i = 0; i < 4; i++) {
      assertThat(queue.evictFor(owner("new"), 16)).isNotNull();
    }
    assertThat(queue.evictFor(owner("new"), 16)).isNull();
    assertThat(queue.evictFor(owner("new"), 15)).isNotNull();
    assertThat(queue.evictFor(owner("new"), 15)).isNull();
    assertThat(queue.places()).isEqualTo(15);
  }

  @Test
  void removedElementsFreeTheirPlaces() {
    addLong("a", 16, 2);
    addLong("b", 3, 2);
    var _ = queue.removeIf(each -> each.number() == 1 || each.number() == 2);
    assertThat(queue.places()).isEqualTo(19);
    var _ = poll(2);
    assertThat(queue.places()).isZero();
  }

  /// Otherwise an issuer with many names would hold most places.
  @Test
  void elementOfTheLargestIssuerIsEvictedEvenIfItsOwnersAreSmall() {
    for (int i = 0; i < 10; i++) {
      add(Owner.of("many", "name " + i), 1, 1);
    }
    add(Owner.of("one", "a"), 1, 5);
    Work evicted = queue.evictFor(Owner.of("one", "a"), 1);
    assertThat(evicted).isNotNull();
    assertThat(evicted.owner().issuer()).isEqualTo("many");
    assertThat(queue.evictFor(Owner.of("many", "new"), 1)).isNull();
  }

  @Test
  void selectedElementsAreRemoved() {
    add("a", 3);
    add("b", 3);
    assertThat(queue.removeIf(each -> each.number() % 2 == 0))
        .extracting(Work::number)
        .containsExactlyInAnyOrder(0, 2, 4);
    assertThat(queue.size()).isEqualTo(3);
    assertThat(poll(3)).extracting(Work::number).containsExactlyInAnyOrder(1, 3, 5);
    assertThat(queue.poll()).isNull();
  }

  /// A name above the bound, and other names that leave afterwards.
  private void addAboveTheBound(String name, int times) {
    for (int i = 0; i < RoundRobinBranch.MAX_CHILDREN; i++) {
      add("name " + i, 1);
    }
    add(name, times);
    var _ = poll(RoundRobinBranch.MAX_CHILDREN / 2);
  }

  private List<Work> ofOthers(List<Work> polled) {
    return polled.stream().filter(each -> !each.owner().principal().startsWith("name ")).toList();
  }

  @Test
  void elementsOfANameInTheCommonNodeKeepTheirOrder() {
    addAboveTheBound("late", 2);
    add("late", 1);
    assertThat(ofOthers(poll(queue.size()))).extracting(Work::number).hasSize(3).isSorted();
    assertThat(queue.contains(owner("late"))).isFalse();
  }

  /// The queue does not remember this name: more names share the common node than it records.
  @Test
  void elementsOfANameThatIsNotRecordedKeepTheirOrder() {
    for (int i = 0; i < RoundRobinBranch.MAX_CHILDREN + RoundRobinBranch.MAX_SHARING; i++) {
      add("name " + i, 1);
    }
    add("late", 2);
    var _ = poll(RoundRobinBranch.MAX_CHILDREN + 2); // The names with nodes of their own leave.
    add("late", 1);
    assertThat(ofOthers(poll(queue.size()))).extracting(Work::number).hasSize(3).isSorted();
  }

  /// Otherwise, under constant load, all names would move to the common node one after the other.
  @Test
  void newNameGetsANodeOfItsOwnAfterOthersHaveLeft() {
    addAboveTheBound("late", 3);
    add("new", 1);
    assertThat(ofOthers(poll(queue.size())))
        .extracting(each -> each.owner().principal())
        .containsExactly("late", "new", "late", "late");
  }

  @Test
  void nameLeavesTheEmptyCommonNode() {
    addAboveTheBound("late", 1);
    var _ = poll(queue.size());
    add("late", 2);
    add("new", 1);
    assertThat(principals(3)).containsExactly("late", "new", "late");
  }

  @Test
  void ownerIsContainedWhileItHasElements() {
    assertThat(queue.contains(owner("a"))).isFalse();
    add("a", 1);
    assertThat(queue.contains(owner("a"))).isTrue();
    assertThat(queue.contains(owner("b"))).isFalse();
    var _ = poll(1);
    assertThat(queue.contains(owner("a"))).isFalse();
  }

  /// The elements of all names above the bound are in one common node.
  @Test
  void numberOfNodesIsBounded() {
    int names = 3 * RoundRobinBranch.MAX_CHILDREN;
    for (int i = 0; i < names; i++) {
      add("name " + i, 1);
    }
    assertThat(queue.contains(owner("name " + (names - 1)))).isTrue();
    assertThat(queue.contains(owner("never added"))).as("shares the node of other names").isTrue();
    assertThat(poll(names)).doesNotHaveDuplicates();
    assertThat(queue.size()).isZero();
  }

  @Test
  void randomOperationsLoseNoElement() {
    Random random = new Random(7);
    int left = 0;
    for (int step = 0; step < 20_000; step++) {
      Owner owner = Owner.of("issuer " + random.nextInt(3), "principal " + random.nextInt(5));
      switch (random.nextInt(6)) {
        case 0, 1, 2 -> {
          add(owner, 1 + random.nextInt(9), 1);
          left++;
        }
        case 3 -> left -= queue.poll() == null ? 0 : 1;
        case 4 -> left -= queue.evictFor(owner, 1) == null ? 0 : 1;
        default -> {
          queue.charge(owner, 1 + random.nextInt(5));
          int remainder = random.nextInt(50);
          left -= queue.removeIf(each -> each.number() % 50 == remainder).size();
        }
      }
      assertThat(queue.size()).isEqualTo(left);
    }
    assertThat(poll(left)).doesNotHaveDuplicates();
    assertThat(queue.poll()).isNull();
  }
}
