package dev.hmacd.transport;

import static org.assertj.core.api.Assertions.assertThat;

import io.netty.channel.embedded.EmbeddedChannel;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/// Bounds: 8000 bytes for the process, 1000 for a connection, 4000 for an owner, 2000 for all
/// unauthenticated owners.
final class MemoryBudgetTest {
  private final MemoryBudget budget = new MemoryBudget(8000);
  private final List<EmbeddedChannel> channels = new ArrayList<>();
  private final List<MemoryBudget.Account> accounts = new ArrayList<>();

  private MemoryBudget.Account source(String name) {
    var channel = new EmbeddedChannel();
    MemoryBudget.Account account = budget.open(channel, name, 0);
    channels.add(channel);
    accounts.add(account);
    return account;
  }

  private MemoryBudget.Account principal(String name) {
    MemoryBudget.Account account = source("nowhere");
    account.authenticated(name);
    return account;
  }

  private long open(int from, int to) {
    return channels.subList(from, to).stream()
        .peek(EmbeddedChannel::runPendingTasks)
        .filter(EmbeddedChannel::isOpen)
        .count();
  }

  @AfterEach
  void closedAccountsReleaseTheirMemory() {
    accounts.forEach(MemoryBudget.Account::close);
    assertThat(budget.held()).isZero();
  }

  @Test
  void connectionAboveItsBoundIsClosed() {
    principal("a").set(1000);
    assertThat(open(0, 1)).isEqualTo(1);
    accounts.getFirst().set(1001);
    assertThat(open(0, 1)).isZero();
    assertThat(budget.held()).isZero();
    assertThat(budget.evictions()).isEqualTo(1);
    accounts.getFirst().set(5);
    assertThat(budget.held()).isZero();
  }

  @Test
  void ownerAboveItsBoundLosesItsLargestConnections() {
    principal("a").set(100);
    for (int i = 0; i < 4; i++) {
      principal("a").set(900);
    }
    principal("b").set(1000);
    assertThat(budget.held()).isEqualTo(4700);
    principal("a").set(301);
    assertThat(budget.evictions()).isEqualTo(1);
    assertThat(open(0, 1)).isEqualTo(1);
    assertThat(open(1, 5)).isEqualTo(3);
    assertThat(open(5, 7)).isEqualTo(2);
  }

  @Test
  void unauthenticatedOwnersShareABoundAndTheLargestLosesConnections() {
    for (int i = 0; i < 5; i++) {
      source("10.0.0.1").set(300);
    }
    source("10.0.0.2").set(400);
    source("10.0.0.3").set(200);
    assertThat(open(0, 5)).isEqualTo(3);
    assertThat(open(5, 7)).isEqualTo(2);
    principal("a").set(1000);
    assertThat(budget.evictions()).isEqualTo(2);
  }

  @Test
  void processAboveItsBoundEvictsFromTheLargestOwner() {
    for (int i = 0; i < 4; i++) {
      principal("a").set(950);
    }
    for (int i = 0; i < 3; i++) {
      principal("b").set(950);
      principal("c").set(300);
    }
    assertThat(budget.evictions()).isZero();
    principal("modest").set(300);
    assertThat(budget.evictions()).isZero();
    principal("d").set(800);
    assertThat(open(0, 4)).isEqualTo(2);
    assertThat(open(4, 12)).isEqualTo(8);
  }

  @Test
  void memoryMovesToThePrincipalAtAuthentication() {
    for (int i = 0; i < 3; i++) {
      var account = source("10.0.0.1");
      account.set(900);
      account.authenticated("a");
    }
    assertThat(budget.held()).isEqualTo(2700);
    assertThat(budget.evictions()).isZero();
  }
}
