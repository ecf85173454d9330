package dev.hmacd.testing;

import dev.hmacd.key.AccessKey;
import dev.hmacd.key.Alias;
import dev.hmacd.key.Key;
import dev.hmacd.key.KeyId;
import dev.hmacd.limit.Owner;
import dev.hmacd.registry.KeyLists;
import dev.hmacd.registry.Registry;
import dev.hmacd.registry.cache.Entry;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/// Look-ups in a registry that wait for the registry, as a call does.
public final class Lookups {
  private Lookups() {}

  public static Optional<Key> find(Registry registry, KeyId id) {
    return find(registry, id.value());
  }

  public static Optional<Key> find(Registry registry, Alias alias) {
    return find(registry, alias.name());
  }

  /// Finds a key by its name in a request.
  public static Optional<Key> find(Registry registry, String given) {
    return loaded(
            () -> registry.keys().find(given), () -> registry.keys().load(given, Owner.DAEMON, 1))
        .map(entry -> entry.value(Key.class));
  }

  public static Optional<AccessKey> accessKey(Registry registry, String id) {
    return loaded(() -> registry.accessKeys().find(id), () -> registry.accessKeys().load(id))
        .map(entry -> entry.value(AccessKey.class));
  }

  private static Optional<Entry> loaded(
      Supplier<@Nullable Entry> memory, Supplier<? extends CompletableFuture<?>> load) {
    Entry known = memory.get();
    while (known == null) {
      load.get().join();
      known = memory.get();
    }
    return Optional.of(known);
  }

  /// The first keys of a registry, ordered by id.
  public static List<Key> all(Registry registry) {
    return registry.lists().page("", KeyLists.MAX_PAGE).join();
  }
}
