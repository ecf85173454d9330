package dev.hmacd.transport;

import com.google.errorprone.annotations.ThreadSafe;
import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.hmacd.config.HostPort;
import dev.hmacd.log.LogRateLimiter;
import io.netty.channel.Channel;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.LongSupplier;
import java.util.function.Predicate;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Memory limits of the connections of the process, in bytes of heap.
///
/// All connections of the process share one limit. One owner may hold half of the limit, all
/// unauthenticated owners together a quarter, and one connection an eighth. A connection above its
/// limit is closed. Above another limit, the largest connections of the owner with the most memory
/// are closed, until an eighth of the limit is free.
@ThreadSafe
public final class MemoryBudget {
  /// Number of heap bytes that count for one byte of direct memory, because the process has less
  /// direct memory than heap.
  public static final int DIRECT_WEIGHT = 4;

  private static final Logger log = LoggerFactory.getLogger(MemoryBudget.class);

  private final long maxBytes;
  private final AtomicLong held = new AtomicLong();
  private final AtomicLong heldUnauthenticated = new AtomicLong();
  private final ConcurrentHashMap<Object, OwnerAccount> owners = new ConcurrentHashMap<>();
  private final AtomicLong evictions = new AtomicLong();
  private final LogRateLimiter lines = new LogRateLimiter();

  /// @param maxBytes maximum for all connections together, in bytes of heap
  public MemoryBudget(long maxBytes) {
    this.maxBytes = maxBytes;
  }

  /// Opens a connection's account.
  ///
  /// @param source the source address, or the uid of a Unix socket's peer: the owner until the
  ///   connection has authenticated
  /// @param bytes initial memory of the connection
  public Account open(Channel connection, Object source, long bytes) {
    var account = new Account(connection, source);
    account.set(bytes);
    return account;
  }

  /// Memory of all connections together, in bytes of heap.
  public long held() {
    return held.get();
  }

  /// Number of connections that were closed since the start because a memory limit was exceeded.
  public long evictions() {
    return evictions.get();
  }

  /// The memory of all connections of an owner, which is a principal or a source address.
  private static final class OwnerAccount {
    final Object name;
    final boolean authenticated;
    final AtomicLong held = new AtomicLong();
    final Set<Account> accounts = ConcurrentHashMap.newKeySet();

    OwnerAccount(Object name, boolean authenticated) {
      this.name = name;
      this.authenticated = authenticated;
    }
  }

  private OwnerAccount join(Account account, Object name, boolean authenticated) {
    OwnerAccount joined =
        owners.compute(
            name,
            (_, known) -> {
              OwnerAccount owner = known == null ? new OwnerAccount(name, authenticated) : known;
              owner.accounts.add(account);
              return owner;
            });
    return joined;
  }

  private void leave(Account account, OwnerAccount owner) {
    owners.computeIfPresent(
        owner.name,
        (_, known) -> {
          known.accounts.remove(account);
          return known.accounts.isEmpty() ? null : known;
        });
  }

  private long add(OwnerAccount owner, long delta) {
    held.addAndGet(delta);
    if (!owner.authenticated) {
      heldUnauthenticated.addAndGet(delta);
    }
    return owner.held.addAndGet(delta);
  }

  /// The memory of one connection.
  @ThreadSafe
  public final class Account implements AutoCloseable {
    private final Channel connection;

    @GuardedBy("this")
    private OwnerAccount owner;

    @GuardedBy("this")
    private long bytes;

    @GuardedBy("this")
    private boolean closed;

    private Account(Channel connection, Object source) {
      this.connection = connection;
      this.owner = join(this, source, false);
    }

    /// Moves the account to the authenticated principal of the connection.
    public void authenticated(Object principal) {
      synchronized (this) {
        if (closed || (owner.authenticated && owner.name.equals(principal))) {
          return;
        }
        add(owner, -bytes);
        leave(this, owner);
        owner = join(this, principal, true);
        add(owner, bytes);
      }
      requireBounds();
    }

    /// Sets the memory of the connection, and enforces the limits if the memory has grown.
    public void set(long now) {
      boolean more;
      synchronized (this) {
        if (closed || now == bytes) {
          return;
        }
        more = now > bytes;
        add(owner, now - bytes);
        bytes = now;
      }
      if (more) {
        requireBounds();
      }
    }

    private void requireBounds() {
      OwnerAccount mine;
      boolean tooMuch;
      synchronized (this) {
        mine = owner;
        tooMuch = bytes > maxBytes / 8;
      }
      if (tooMuch) {
        if (isFirstClose()) {
          closeConnection(this, "connection", maxBytes / 8);
        }
      }
      if (mine.held.get() > maxBytes / 2) {
        evictLargest("owner", maxBytes / 2, mine.held::get, owner -> owner == mine);
      }
      if (!mine.authenticated && heldUnauthenticated.get() > maxBytes / 4) {
        evictLargest(
            "unauthenticated", maxBytes / 4, heldUnauthenticated::get, each -> !each.authenticated);
      }
      if (held.get() > maxBytes) {
        evictLargest("process", maxBytes, held::get, _ -> true);
      }
    }

    private synchronized long bytes() {
      return bytes;
    }

    @Override
    public void close() {
      boolean _ = isFirstClose();
    }

    private synchronized boolean isFirstClose() {
      if (closed) {
        return false;
      }
      closed = true;
      add(owner, -bytes);
      leave(this, owner);
      return true;
    }
  }

  private record Holding(Account account, long bytes) {}

  private void evictLargest(
      String bound, long max, LongSupplier heldNow, Predicate<OwnerAccount> among) {
    // Called without the lock, because closing a channel runs its handlers.
    for (Account each : closeLargest(max, heldNow, among)) {
      closeConnection(each, bound, max);
    }
  }

  /// Closes the accounts of the largest connections. Only one thread at a time runs this method: a
  /// second thread would close accounts for the same bytes.
  ///
  /// @return the closed accounts
  private synchronized List<Account> closeLargest(
      long max, LongSupplier heldNow, Predicate<OwnerAccount> among) {
    List<Account> closed = new ArrayList<>();
    if (heldNow.getAsLong() <= max) {
      return closed;
    }
    long enough = max - max / 8;
    while (heldNow.getAsLong() > enough) {
      List<OwnerAccount> most =
          owners.values().stream()
              .filter(among)
              .sorted(Comparator.comparingLong((OwnerAccount owner) -> owner.held.get()).reversed())
              .limit(2)
              .toList();
      if (most.isEmpty()) {
        return closed;
      }
      long next = most.size() < 2 ? 0 : most.get(1).held.get();
      List<Holding> largest =
          most.getFirst().accounts.stream()
              .map(account -> new Holding(account, account.bytes()))
              .sorted(Comparator.comparingLong(Holding::bytes).reversed())
              .toList();
      int before = closed.size();
      for (Holding each : largest) {
        if (each.account().isFirstClose()) {
          closed.add(each.account());
        }
        if (heldNow.getAsLong() <= enough || most.getFirst().held.get() < next) {
          break;
        }
      }
      if (closed.size() == before) {
        return closed; // All accounts of the owner are already closed.
      }
    }
    return closed;
  }

  /// Closes the connection of a closed account at once.
  private void closeConnection(Account account, String bound, long max) {
    Object owner;
    long bytes;
    synchronized (account) {
      owner = account.owner.name;
      bytes = account.bytes;
    }
    evictions.incrementAndGet();
    long times = lines.happened();
    if (times > 0) {
      log.atWarn()
          .addKeyValue("bound", bound)
          .addKeyValue("max_bytes", max)
          .addKeyValue("owner", HostPort.source(owner))
          .addKeyValue("connection_bytes", bytes)
          .addKeyValue("times", times)
          .log("Connections closed: memory bound exceeded");
    }
    Connections.closeAtOnce(account.connection);
  }
}
