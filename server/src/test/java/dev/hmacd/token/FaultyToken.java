package dev.hmacd.token;

import dev.hmacd.key.KeyAttributes;
import dev.hmacd.key.KeyObject;
import dev.hmacd.key.MacAlgorithm;
import dev.hmacd.testing.Eventually;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/// A token that injects faults in front of a real token, and counts calls.
public final class FaultyToken implements Token {
  public static final long CKR_GENERAL_ERROR = 0x05;
  public static final long CKR_DATA_LEN_RANGE = 0x21;
  public static final long CKR_DEVICE_ERROR = 0x30;
  public static final long CKR_DEVICE_REMOVED = 0x32;
  public static final long CKR_KEY_SIZE_RANGE = 0x62;
  public static final long CKR_KEY_TYPE_INCONSISTENT = 0x63;
  public static final long CKR_KEY_FUNCTION_NOT_PERMITTED = 0x68;
  public static final long CKR_MECHANISM_INVALID = 0x70;
  public static final long CKR_OBJECT_HANDLE_INVALID = 0x82;
  public static final long CKR_PIN_INCORRECT = 0xa0;
  public static final long CKR_SESSION_COUNT = 0xb1;
  public static final long CKR_SESSION_HANDLE_INVALID = 0xb3;
  public static final long CKR_USER_NOT_LOGGED_IN = 0x101;

  /// The methods of [Token] and [TokenSession].
  public enum Call {
    OPEN,
    LOAD,
    LOAD_TOKEN_OBJECT,
    UNLOAD,
    SIGN,
    GENERATE,
    FIND,
    DESTROY,
    RANDOM
  }

  /// Blocks one call until the test releases it.
  public static final class Gate implements AutoCloseable {
    /// A gate that is never released must not hang the build.
    private static final long LIMIT_SECONDS = Eventually.LIMIT.toSeconds();

    private final CountDownLatch entered = new CountDownLatch(1);
    private final CountDownLatch released = new CountDownLatch(1);

    private void pass() {
      entered.countDown();
      await(released);
    }

    /// Waits until a call is blocked here.
    public void awaitEntered() {
      await(entered);
    }

    private static void await(CountDownLatch latch) {
      try {
        if (!latch.await(LIMIT_SECONDS, TimeUnit.SECONDS)) {
          throw new AssertionError("no call reached the gate, or the gate was not released");
        }
      } catch (InterruptedException e) {
        Thread.currentThread().interrupt();
        throw new AssertionError(e);
      }
    }

    /// Releases the blocked call.
    public void release() {
      released.countDown();
    }

    @Override
    public void close() {
      release();
    }
  }

  /// A fault of one call.
  private sealed interface Fault {
    record Fails(long code, boolean afterwards) implements Fault {}

    record Waits(Gate gate, boolean afterwards) implements Fault {}

    record FindsNothing() implements Fault {
      @Override
      public boolean afterwards() {
        return false;
      }
    }

    record WaitsAndFails(Gate gate, long code) implements Fault {
      @Override
      public boolean afterwards() {
        return false;
      }
    }

    boolean afterwards();
  }

  /// The number of calls of one kind, and the faults of the next calls.
  private record Kind(AtomicInteger count, Queue<Fault> faults) {}

  private interface Operation<T> {
    T run() throws TokenException;
  }

  private final Token real;
  private final Map<Call, Kind> kinds = new EnumMap<>(Call.class);
  private final AtomicInteger sessions = new AtomicInteger();
  private volatile int maxSessions = Integer.MAX_VALUE;
  private volatile boolean wrongMacs;
  private volatile int maxCounted = Integer.MAX_VALUE;
  private volatile boolean nothingIsLocal;
  private volatile @Nullable KeyObject everyKey;
  private volatile boolean closeThrows;
  private final AtomicReference<@Nullable Gate> closing = new AtomicReference<>();

  public FaultyToken(Token real) {
    this.real = real;
    for (Call call : Call.values()) {
      kinds.put(call, new Kind(new AtomicInteger(), new ConcurrentLinkedQueue<>()));
    }
  }

  /// The next calls of a kind fail with a PKCS#11 return code, and do not reach the token.
  public FaultyToken failing(Call call, int times, long code) {
    for (int i = 0; i < times; i++) {
      kind(call).faults().add(new Fault.Fails(code, false));
    }
    return this;
  }

  /// The next call of a kind reaches the token, and later calls have the faults that follow.
  public FaultyToken passing(Call call) {
    blocking(call).release();
    return this;
  }

  /// The next search of a kind finds nothing, and does not reach the token.
  ///
  /// @param call `LOAD`, `LOAD_TOKEN_OBJECT`, `FIND` or `DESTROY`
  public FaultyToken findingNothing(Call call) {
    kind(call).faults().add(new Fault.FindsNothing());
    return this;
  }

  /// The token executes the next call of a kind, but the caller gets an error.
  public FaultyToken losingAnswer(Call call, long code) {
    kind(call).faults().add(new Fault.Fails(code, true));
    return this;
  }

  /// Blocks the next call of a kind before it reaches the token.
  public Gate blocking(Call call) {
    return blocking(call, false);
  }

  /// Blocks the next call of a kind. After its release the call fails and does not reach the token.
  public Gate blockingThenFailing(Call call, long code) {
    Gate gate = new Gate();
    kind(call).faults().add(new Fault.WaitsAndFails(gate, code));
    return gate;
  }

  /// Blocks the next call of a kind after the token has executed it.
  public Gate blockingAnswer(Call call) {
    return blocking(call, true);
  }

  private Gate blocking(Call call, boolean afterwards) {
    Gate gate = new Gate();
    kind(call).faults().add(new Fault.Waits(gate, afterwards));
    return gate;
  }

  /// Sets whether MACs have one wrong bit.
  public void wrongMacs(boolean wrong) {
    wrongMacs = wrong;
  }

  /// CKA_LOCAL of all keys is false, as for an imported key or an interrupted generation.
  public void nothingIsLocal() {
    nothingIsLocal = true;
  }

  private static TokenSession.Found notLocal(TokenSession.Found found) {
    KeyAttributes read = found.attributes();
    return new TokenSession.Found(
        found.object(),
        new KeyAttributes(
            read.sensitive(),
            read.extractable(),
            read.sign(),
            read.alwaysSensitive(),
            read.neverExtractable(),
            false,
            read.keyBytes()),
        found.use());
  }

  /// Limits the number of sessions: the next C_OpenSession fails with CKR_SESSION_COUNT.
  public void maxSessions(int max) {
    maxSessions = max;
  }

  /// Each load returns the handle of this key: for tests with very many keys. Only for a token
  /// without session copies, because unload has no effect there.
  public FaultyToken everyKeyIs(KeyObject key) {
    everyKey = key;
    return this;
  }

  /// Sets whether the close of a session throws an unexpected exception after it has closed the
  /// session.
  public void closeThrows(boolean does) {
    closeThrows = does;
  }

  /// Blocks the next close of a session, after it has closed the session.
  public Gate blockingClose() {
    Gate gate = new Gate();
    closing.set(gate);
    return gate;
  }

  /// Limits the number of keys that a count visits, as on a token with very many keys.
  public void countingAtMost(int keys) {
    maxCounted = keys;
  }

  /// The number of calls of a kind, including failed calls.
  public int count(Call call) {
    return kind(call).count().get();
  }

  /// The number of open sessions.
  public int sessions() {
    return sessions.get();
  }

  private Kind kind(Call call) {
    return Objects.requireNonNull(kinds.get(call));
  }

  private <T> T through(Call call, Operation<T> operation) throws TokenException {
    kind(call).count().incrementAndGet();
    Fault fault = kind(call).faults().poll();
    if (fault == null) {
      return operation.run();
    }
    if (!fault.afterwards()) {
      inject(call, fault);
      return operation.run();
    }
    T answer = operation.run();
    inject(call, fault);
    return answer;
  }

  private static void inject(Call call, Fault fault) throws TokenException {
    switch (fault) {
      case Fault.Fails(var code, var _) -> {
        var cause = new IllegalStateException("injected");
        throw call == Call.SIGN
            ? Ckr.macException(call.name(), code, cause)
            : Ckr.exception(call.name(), code, cause);
      }
      case Fault.Waits(var gate, var _) -> gate.pass();
      case Fault.FindsNothing() ->
          throw new TokenException(TokenException.Kind.KEY_MISSING, "injected");
      case Fault.WaitsAndFails(var gate, var code) -> {
        gate.pass();
        inject(call, new Fault.Fails(code, false));
      }
    }
  }

  @Override
  public TokenInfo info() {
    return real.info();
  }

  @Override
  public CircuitBreaker circuit() {
    return real.circuit();
  }

  @Override
  public TokenSession open() throws TokenException {
    return through(
        Call.OPEN,
        () -> {
          if (sessions.get() >= maxSessions) {
            throw Ckr.exception("OPEN", CKR_SESSION_COUNT, new IllegalStateException("injected"));
          }
          TokenSession session = real.open();
          sessions.incrementAndGet();
          return new FaultySession(session);
        });
  }

  @Override
  public boolean reinitialize(BooleanSupplier needed) throws TokenException {
    return real.reinitialize(needed);
  }

  @Override
  public void retryPin() {
    real.retryPin();
  }

  private final class FaultySession implements TokenSession {
    private final TokenSession session;
    private @Nullable Long everyHandle;

    FaultySession(TokenSession session) {
      this.session = session;
    }

    @Override
    public long load(KeyObject key) throws TokenException {
      return through(Call.LOAD, () -> everyKey == null ? session.load(key) : everyHandle(everyKey));
    }

    @Override
    public long loadTokenObject(KeyObject key) throws TokenException {
      return through(Call.LOAD_TOKEN_OBJECT, () -> session.loadTokenObject(key));
    }

    private long everyHandle(KeyObject key) throws TokenException {
      Long known = everyHandle;
      if (known == null) {
        known = session.load(key);
        everyHandle = known;
      }
      return known;
    }

    @Override
    public boolean isCopy(long handle) {
      return session.isCopy(handle);
    }

    @Override
    public void unload(long handle) throws TokenException {
      var _ =
          through(
              Call.UNLOAD,
              () -> {
                session.unload(handle);
                return true;
              });
    }

    @Override
    public byte[] sign(long handle, MacAlgorithm algorithm, byte[] message) throws TokenException {
      byte[] mac = through(Call.SIGN, () -> session.sign(handle, algorithm, message));
      if (wrongMacs) {
        mac[0] ^= 1;
      }
      return mac;
    }

    @Override
    public KeyAttributes generate(KeyObject name, int keyBytes) throws TokenException {
      return through(Call.GENERATE, () -> session.generate(name, keyBytes));
    }

    @Override
    public boolean destroy(KeyObject key) throws TokenException {
      try {
        return through(Call.DESTROY, () -> session.destroy(key));
      } catch (TokenException e) {
        return found(e);
      }
    }

    /// @return false if the search found nothing
    private static boolean found(TokenException e) throws TokenException {
      if (e.kind() == TokenException.Kind.KEY_MISSING) {
        return false;
      }
      throw e;
    }

    @Override
    public byte[] random(int count) throws TokenException {
      return through(Call.RANDOM, () -> session.random(count));
    }

    @Override
    public Count count(Set<String> labelPrefixes, int atMost) throws TokenException {
      return through(Call.FIND, () -> session.count(labelPrefixes, Math.min(atMost, maxCounted)));
    }

    @Override
    public List<Found> find(Query query) throws TokenException {
      List<Found> found;
      try {
        found = through(Call.FIND, () -> session.find(query));
      } catch (TokenException e) {
        boolean _ = found(e);
        return List.of();
      }
      return nothingIsLocal ? found.stream().map(FaultyToken::notLocal).toList() : found;
    }

    @Override
    public void close() {
      sessions.decrementAndGet();
      session.close();
      Gate gate = closing.getAndSet(null);
      if (gate != null) {
        gate.pass();
      }
      if (closeThrows) {
        throw new IllegalStateException("injected");
      }
    }
  }
}
