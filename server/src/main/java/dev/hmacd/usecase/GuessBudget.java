package dev.hmacd.usecase;

import dev.hmacd.access.Access;
import dev.hmacd.limit.RateBudget;
import java.util.function.LongSupplier;

/// Bounds guesses of key names. Each denial counts, and each name that the registry has read from
/// the database and did not find. Above the budget, requests of the caller that would be denied, or
/// that need a read, are refused with `REGISTRY_BUSY`. Thread-safe.
///
/// A denial of a key in memory counts like any other. Otherwise the budget would show which keys
/// are in memory, and so exist.
final class GuessBudget {
  /// Guesses a second of one principal, and of all principals together that no rule names.
  private static final int OF_PRINCIPAL = 20;

  private static final int OF_STRANGERS = 50;

  /// The number of seconds for which an unused budget is saved.
  private static final int BURST_SECONDS = 5;

  private static final int MAX_PRINCIPALS = 10_000;
  private static final Object STRANGERS = new Object();

  private final Access access;
  private final RateBudget principals;
  private final RateBudget strangers;

  /// @param nanoTime the clock, as [System#nanoTime]
  GuessBudget(Access access, LongSupplier nanoTime) {
    this.access = access;
    this.principals =
        new RateBudget(OF_PRINCIPAL, BURST_SECONDS * OF_PRINCIPAL, MAX_PRINCIPALS, nanoTime);
    this.strangers = new RateBudget(OF_STRANGERS, BURST_SECONDS * OF_STRANGERS, 1, nanoTime);
  }

  /// Checks the budget before a read of the database. A caller that no rule names pays before the
  /// read, so its requests in flight have a bound, too.
  ///
  /// @throws Refusal [Failure.RegistryBusy] if the caller has used up its budget
  void beforeRead(Call call) {
    require(call);
    if (!access.isNamed(call.principal())) {
      strangers.spend(STRANGERS);
    }
  }

  /// Counts a name that the registry has read and did not find.
  void notFound(Call call) {
    if (access.isNamed(call.principal())) {
      principals.spend(call.principal().name());
    }
  }

  /// Counts a denial.
  ///
  /// @throws Refusal [Failure.RegistryBusy] if the caller has used up its budget
  void denied(Call call) {
    require(call);
    if (access.isNamed(call.principal())) {
      principals.spend(call.principal().name());
    } else {
      strangers.spend(STRANGERS);
    }
  }

  private void require(Call call) {
    if (isExhausted(call)) {
      throw new Refusal(new Failure.RegistryBusy(Failure.Bound.OF_CALLER));
    }
  }

  private boolean isExhausted(Call call) {
    return access.isNamed(call.principal())
        ? principals.isExhausted(call.principal().name())
        : strangers.isExhausted(STRANGERS);
  }
}
