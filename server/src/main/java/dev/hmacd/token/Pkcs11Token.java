package dev.hmacd.token;

import com.google.errorprone.annotations.ThreadSafe;
import dev.hmacd.key.KeyObject;
import dev.hmacd.token.Cryptoki.SlotInfo;
import dev.hmacd.token.TokenException.Fault;
import java.io.IOException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.BooleanSupplier;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/// A token of a PKCS#11 module.
@ThreadSafe
public final class Pkcs11Token implements Token {
  /// Names of the mechanisms that the daemon uses, by mechanism type.
  public static final Map<Long, String> NEEDED_MECHANISMS =
      Collections.unmodifiableMap(
          new TreeMap<>(
              Map.of(
                  CkConstants.CKM_GENERIC_SECRET_KEY_GEN, "CKM_GENERIC_SECRET_KEY_GEN",
                  CkConstants.CKM_SHA224_HMAC, "CKM_SHA224_HMAC",
                  CkConstants.CKM_SHA256_HMAC, "CKM_SHA256_HMAC",
                  CkConstants.CKM_SHA384_HMAC, "CKM_SHA384_HMAC",
                  CkConstants.CKM_SHA512_HMAC, "CKM_SHA512_HMAC")));

  /// Maximum wait of a lane for the login of another lane.
  private static final Duration OTHERS_LOGIN = Duration.ofSeconds(5);

  /// Value of [#slot] while the slot is unknown; PKCS#11 slot numbers are not negative.
  private static final long UNKNOWN = -1;

  private final Pkcs11Module module;
  private final Cryptoki cryptoki;
  private final TokenSelector selector;
  private final PinSource pin;
  private final Pkcs11Session.Shared shared;
  private final CircuitBreaker circuit = new CircuitBreaker();

  /// Slot of the token; [#UNKNOWN] until the next search finds the token.
  private volatile long slot = UNKNOWN;

  /// Result of C_GetTokenInfo when the token was first found; until then, only the label or serial
  /// number of the selector.
  private volatile TokenInfo info;

  private volatile Set<Long> mechanisms = Set.of();

  /// Held during `C_Login`, so that at most one thread tries a login. A login applies to the whole
  /// application, so other threads wait, and need no login if it succeeds.
  private final ReentrantLock login = new ReentrantLock();

  /// The message of the refusal of the PIN; null if the PIN was not refused. Further logins fail
  /// with this message, and the token is not asked again.
  private volatile @Nullable String pinRefusal;

  Pkcs11Token(Pkcs11Module module, TokenSelector selector, PinSource pin, Use use) {
    this.module = module;
    this.cryptoki = module.cryptoki();
    this.selector = selector;
    this.pin = pin;
    this.info = selector.unseen();
    this.shared =
        new Pkcs11Session.Shared(
            cryptoki,
            () -> mechanisms,
            use.sessionCopies(),
            use.verify(),
            new Handles(module.handles()),
            new AtomicBoolean(),
            new NewKeyType(use.keyType()),
            new ObjectLock(use.hang()));
    module.add(this);
  }

  private record Slot(long id, TokenInfo info) {}

  /// Settings of a token.
  ///
  /// @param sessionCopies whether MACs are computed under session-object copies of the keys
  /// @param verify whether the token verifies each MAC (`C_Verify`) before its release
  /// @param keyType the type of new keys
  /// @param hang duration of a PKCS#11 call after which it counts as hanging
  public record Use(boolean sessionCopies, boolean verify, KeyTypeSetting keyType, Duration hang) {
    private static final Duration DEFAULT_HANG = Duration.ofSeconds(10);

    /// Settings with the default duration of a hanging call.
    public Use(boolean sessionCopies, boolean verify, KeyTypeSetting keyType) {
      this(sessionCopies, verify, keyType, DEFAULT_HANG);
    }

    /// Settings with the default type of new keys, too.
    public Use(boolean sessionCopies, boolean verify) {
      this(sessionCopies, verify, KeyTypeSetting.AUTO);
    }
  }

  /// Loads a module and finds one of its tokens; does not log in.
  ///
  /// @throws TokenException if not exactly one token matches the selector
  public static Pkcs11Token find(Path modulePath, TokenSelector selector, PinSource pin, Use use)
      throws TokenException {
    return new Pkcs11Modules().find(modulePath, Optional.empty(), selector, pin, use);
  }

  /// Returns the token's slot, and searches for the token if the slot is unknown. Must be called
  /// within a scope of [Handles#enter()], or before other threads start.
  long locate() throws TokenException {
    long known = slot;
    if (known != UNKNOWN) {
      return known;
    }
    Slot found = search(cryptoki, selector);
    if (mechanisms.isEmpty()) {
      mechanisms =
          cryptoki.mechanisms(found.id()).stream()
              .map(Cryptoki.Mechanism::type)
              .collect(Collectors.toUnmodifiableSet());
      info = found.info();
    }
    slot = found.id();
    return found.id();
  }

  /// Forgets the slot, because the module is finalized. The caller must hold the module's write
  /// lock.
  void finalizing() {
    slot = UNKNOWN;
  }

  private static Slot search(Cryptoki module, TokenSelector selector) throws TokenException {
    List<Slot> fitting = new ArrayList<>();
    List<TokenInfo> others = new ArrayList<>();
    for (long id : module.slots()) {
      SlotInfo slot = module.info(id);
      if (selector.fits(slot.token())) {
        fitting.add(new Slot(id, slot.token()));
      } else if (slot.isInitialized()) {
        others.add(slot.token());
      }
    }
    return switch (fitting.size()) {
      case 1 -> fitting.getFirst();
      case 0 -> throw TokenException.fault(Fault.DEVICE, absent(module.path(), selector, others));
      default -> {
        List<TokenInfo> all = fitting.stream().map(Slot::info).toList();
        throw TokenException.fault(Fault.DEVICE, ambiguous(module.path(), selector, all));
      }
    };
  }

  private static String absent(Path module, TokenSelector selector, List<TokenInfo> others) {
    return selector.key()
        + ": no token of "
        + module
        + " matches "
        + selector
        + (others.isEmpty()
            ? "; the module shows no initialised token" + SoftHsmHint.of(module, System.getenv())
            : "; connect the token, or configure one of the module's tokens: " + names(others));
  }

  private static String ambiguous(Path module, TokenSelector selector, List<TokenInfo> fitting) {
    return selector.key()
        + ": "
        + fitting.size()
        + " tokens of "
        + module
        + " match "
        + selector
        + ": "
        + names(fitting)
        + "; select one by its serial number";
  }

  private static String names(List<TokenInfo> tokens) {
    return tokens.stream().map(TokenInfo::name).collect(Collectors.joining(", "));
  }

  @Override
  public TokenInfo info() {
    return info;
  }

  @Override
  public CircuitBreaker circuit() {
    return circuit;
  }

  /// The type of new keys. With the setting `AUTO`: `AUTO` until a new key has shown the type;
  /// `AUTO` again after a login, if the token had refused generic secrets ([NewKeyType]).
  public KeyTypeSetting keyType() {
    return newKeyType().get();
  }

  NewKeyType newKeyType() {
    return shared.keyType();
  }

  /// As [#NEEDED_MECHANISMS], without CKM_GENERIC_SECRET_KEY_GEN if new keys are HMAC keys.
  public static Map<Long, String> neededMechanisms(KeyTypeSetting keyType) {
    Map<Long, String> needed = new TreeMap<>(NEEDED_MECHANISMS);
    if (keyType == KeyTypeSetting.HMAC) {
      needed.remove(CkConstants.CKM_GENERIC_SECRET_KEY_GEN);
    }
    return needed;
  }

  /// The token's mechanisms, for `hmacd check`.
  public List<MechanismInfo> mechanisms() throws TokenException {
    return cryptoki.mechanisms(locate()).stream()
        .map(m -> new MechanismInfo(m.type(), m.minKey(), m.maxKey(), m.sign() || m.generate()))
        .toList();
  }

  /// A mechanism of the token (`C_GetMechanismInfo`).
  ///
  /// @param usable whether the mechanism signs, or generates keys
  public record MechanismInfo(long type, long minKey, long maxKey, boolean usable) {}

  @Override
  public TokenSession open() throws TokenException {
    Handles handles = shared.handles();
    int epoch = handles.epoch();
    try (var _ = handles.enter(epoch)) {
      long handle = opened();
      var session = new Pkcs11Session(shared, handle, epoch);
      try {
        handles.sessionOpened(handle, epoch);
        ensureLoggedIn(handle);
      } catch (TokenException e) {
        session.close();
        throw e;
      }
      return session;
    }
  }

  private long opened() throws TokenException {
    try {
      return cryptoki.openSession(locate());
    } catch (TokenException e) {
      if (e.fault() == Fault.DEVICE) {
        slot = UNKNOWN; // The token may come back in another slot.
      }
      throw e;
    }
  }

  @Override
  public boolean reinitialize(BooleanSupplier needed) throws TokenException {
    return module.reinitialize(this, needed, this::locate);
  }

  @Override
  public void retryPin() {
    pinRefusal = null;
  }

  /// Tries to extract a key from the token, for `hmacd check`.
  ///
  /// @param name label and id of the key that the trial generates and destroys; no object on the
  ///   token may have them
  public ExtractionAttempt.Result tryExtraction(KeyObject name) throws TokenException {
    try (var _ = shared.handles().enter()) {
      long handle = cryptoki.openSession(locate());
      try {
        ensureLoggedIn(handle);
        return ExtractionAttempt.run(cryptoki, handle, name, mechanisms, keyType());
      } finally {
        cryptoki.closeSession(handle);
      }
    }
  }

  private void ensureLoggedIn(long session) throws TokenException {
    try {
      if (!login.tryLock(OTHERS_LOGIN.toNanos(), TimeUnit.NANOSECONDS)) {
        throw TokenException.fault(Fault.DEVICE, "the login of another lane hangs");
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw TokenException.fault(Fault.DEVICE, "interrupted while another lane logs in", e);
    }
    try {
      if (!cryptoki.isLoggedIn(session)) {
        logIn(session);
      }
    } finally {
      login.unlock();
    }
  }

  private void logIn(long session) throws TokenException {
    String refusal = pinRefusal;
    if (refusal != null) {
      throw TokenException.fault(Fault.PIN, refusal);
    }
    SlotInfo now = cryptoki.info(locate());
    if (now.pinLocked()) {
      throw refused(
          "the PIN of the token "
              + info.name()
              + " is locked; the security officer must set a new PIN; write it to "
              + pin.name(),
          null);
    }
    if (now.pinFinalTry()) {
      throw refused(
          "the next wrong PIN would lock the token "
              + info.name()
              + "; log in once with the token's own tools, and correct the PIN of "
              + pin.name(),
          null);
    }
    char[] secret;
    try {
      secret = pin.read();
    } catch (IOException e) {
      throw TokenException.fault(
          Fault.PIN_FILE, e.getMessage() == null ? "the PIN cannot be read" : e.getMessage(), e);
    }
    try {
      cryptoki.login(session, secret, info.name(), pin.name());
      newKeyType().loggedIn();
    } catch (TokenException e) {
      throw e.isPinRefused()
          ? refused(
              "the token "
                  + info.name()
                  + " refused the PIN of "
                  + pin.name()
                  + ": "
                  + e.getMessage()
                  + "; correct the PIN in the file",
              e)
          : e;
    } finally {
      Arrays.fill(secret, '\0');
    }
  }

  /// The failure of a refused PIN, which further logins repeat.
  private TokenException refused(String fault, @Nullable TokenException cause) {
    String message = "token.pin_file: " + fault;
    pinRefusal = message;
    return cause == null
        ? TokenException.fault(Fault.PIN, message)
        : TokenException.fault(Fault.PIN, message, cause);
  }
}
