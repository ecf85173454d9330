package dev.hmacd.registry;

import dev.hmacd.key.Alias;
import dev.hmacd.key.ArnScope;
import dev.hmacd.key.KeyId;
import dev.hmacd.key.KeyReference;
import dev.hmacd.limit.Owner;
import dev.hmacd.limit.RefusalLog;
import dev.hmacd.limit.WaitingCalls;
import dev.hmacd.registry.RegistryException.Kind;
import dev.hmacd.registry.cache.Cut;
import dev.hmacd.registry.cache.Entry;
import dev.hmacd.registry.cache.EntryCache;
import dev.hmacd.registry.cache.EntryLoads;
import dev.hmacd.registry.cache.EntryName;
import dev.hmacd.registry.cache.Partition;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import org.jspecify.annotations.Nullable;

/// Look-up of keys for MACs and access decisions. Thread-safe.
///
/// A look-up reads memory only. It returns an [Entry] whose value is a [dev.hmacd.key.Key]: an
/// immutable snapshot of the key's state, tokens and aliases. If the entry is not in memory,
/// [#load] reads it from the database. After a change is answered, each look-up returns the changed
/// key, or no entry.
public final class KeyReader {
  /// Maximum number of look-ups by alias that begin again because the cut has advanced. Afterwards,
  /// the key counts as not in memory.
  private static final int MAX_REPETITIONS = 3;

  /// Maximum number of calls of all owners that wait for keys.
  private static final int MAX_WAITING = 1024;

  private final WaitingCalls waiting =
      new WaitingCalls(
          MAX_WAITING,
          new RefusalLog(
              "Calls refused: too many calls wait for keys of the registry", "owner_calls"));

  private final ArnScope scope;
  private final String arnPrefix;
  private final EntryCache cache;
  private final EntryLoads loads;
  private final Partition keys;
  private final Partition aliases;

  KeyReader(ArnScope scope, EntryCache cache, EntryLoads loads) {
    this.scope = scope;
    this.arnPrefix = scope.prefix();
    this.cache = cache;
    this.loads = loads;
    this.keys = cache.partition(EntryName.Kind.KEY, scope.account());
    this.aliases = cache.partition(EntryName.Kind.ALIAS, scope.account());
  }

  /// The present cut. A reader takes it before its look-up, for [#isCurrent].
  public Cut cut() {
    return cache.cut();
  }

  /// Whether the entry of a key is unchanged.
  ///
  /// @param found the cut that the reader took before it found the entry
  public boolean isCurrent(Entry entry, Cut found) {
    return cache.isCurrent(entry, found);
  }

  /// Finds a key in memory by id, ARN, alias or alias ARN. Does the work of [KeyReference#parse]
  /// and of the look-up in one step, because every MAC needs it. A look-up by id or alias allocates
  /// no memory.
  ///
  /// @return null if the key is not in memory, or the name is malformed; an absent entry if no key
  ///   has the name
  public @Nullable Entry find(String given) {
    String name = given.startsWith(arnPrefix) ? given.substring(arnPrefix.length()) : given;
    if (name.startsWith(Alias.PREFIX)) {
      return findByAlias(name);
    }
    if (name.startsWith("key/") && name.length() != given.length()) {
      name = name.substring("key/".length());
    } else if (name.length() != given.length()) {
      return null;
    }
    return keys.find(name);
  }

  /// Finds a key in memory by id, as [#find(String)].
  public @Nullable Entry find(KeyId id) {
    return keys.find(id.value());
  }

  /// Both entries must be of one cut: otherwise an alias could lead to a key with the rights that
  /// the key got after the alias moved away.
  @SuppressWarnings("ReferenceEquality") // Each advance makes a new cut.
  private @Nullable Entry findByAlias(String name) {
    for (int i = 0; i <= MAX_REPETITIONS; i++) {
      Cut before = cache.cut();
      Entry alias = aliases.find(name);
      if (alias == null || alias.isAbsent()) {
        return alias;
      }
      Entry key = find(target(alias));
      if (cache.cut() == before) {
        return key;
      }
    }
    return null;
  }

  private static KeyId target(Entry alias) {
    KeyId target = alias.value(KeyId.class);
    if (target == null) {
      throw new IllegalStateException("an absent alias has no target: " + alias.name());
    }
    return target;
  }

  /// Reads a key from the database into memory, unless it is there. Afterwards, [#find(String)]
  /// must be called again, and may need one more load: the database may have changed. A malformed
  /// name loads nothing.
  ///
  /// @param owner the caller, whose call waits
  /// @param calls the number of calls for which the waiting call counts ([WaitingCalls])
  /// @return completes on a thread of the registry; fails with a [RegistryException], `BUSY` or
  ///   `OWNER_BUSY` if too many calls wait
  public CompletableFuture<@Nullable Void> load(String given, Owner owner, int calls) {
    Optional<KeyReference> name = KeyReference.parse(given, scope);
    if (name.isEmpty()) {
      return CompletableFuture.completedFuture(null);
    }
    return switch (waiting.enter(owner, calls)) {
      case FULL -> tooMany(Kind.BUSY, waiting.max() + " in total");
      case OWNER_FULL -> tooMany(Kind.OWNER_BUSY, waiting.maxOfOwner() + " per owner");
      case ADMITTED -> load(name.get()).whenComplete((_, _) -> waiting.leave(owner, calls));
    };
  }

  private static CompletableFuture<@Nullable Void> tooMany(Kind kind, String limit) {
    return CompletableFuture.failedFuture(
        new RegistryException(
            kind, "limit of calls that wait for a key of the registry reached (" + limit + ")"));
  }

  private CompletableFuture<@Nullable Void> load(KeyReference name) {
    return switch (name) {
      case KeyReference.Id(var id) -> load(id);
      case KeyReference.OfAlias(var alias) -> load(alias);
    };
  }

  private CompletableFuture<@Nullable Void> load(KeyId id) {
    return loads.load(new EntryName(EntryName.Kind.KEY, scope.account(), id.value()));
  }

  private CompletableFuture<@Nullable Void> load(Alias alias) {
    Entry known = aliases.find(alias.name());
    return known == null || known.isAbsent()
        ? loads.load(new EntryName(EntryName.Kind.ALIAS, scope.account(), alias.name()))
        : load(target(known));
  }

  /// The partition, region and account of the ARNs that [#find(String)] accepts.
  public ArnScope scope() {
    return scope;
  }
}
