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
import java.util.concurrent.locks.ReentrantLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import java.util.function.BooleanSupplier;
import java.util.stream.Collectors;

/// A token behind a PKCS#11 module.
@ThreadSafe
public final class Pkcs11Token implements Token {
  /// The mechanisms that the daemon uses, by type, with their names.
  public static final Map<Long, String> NEEDED_MECHANISMS =
      Collections.unmodifiableMap(
          new TreeMap<>(
              Map.of(
                  Cryptoki.CKM_GENERIC_SECRET_KEY_GEN, "CKM_GENERIC_SECRET_KEY_GEN",
                  Cryptoki.CKM_SHA224_HMAC, "CKM_SHA224_HMAC",
                  Cryptoki.CKM_SHA256_HMAC, "CKM_SHA256_HMAC",
                  Cryptoki.CKM_SHA384_HMAC, "CKM_SHA384_HMAC",
                  Cryptoki.CKM_SHA512_HMAC, "CKM_SHA512_HMAC")));

  /// How long a call may take to leave the module before it is finalized.
  private static final Duration LEAVING = Duration.ofSeconds(1);

  /// How long a lane waits for another's login.
  private static final Duration OTHERS_LOGIN = Duration.ofSeconds(5);

  private final Cryptoki module;
  private final TokenSelector selector;
  private final SlotInfo info;
  private final PinSource pin;
  private final Pkcs11Session.Shared shared;

  /// It may be another after the module was initialised anew. Written by who is alone in it.
  private volatile long slot;

  /// Login holds for the whole application, so at most one thread tries. Held across `C_Login`, and
  /// that is its purpose: who finds it taken waits for the one try instead of making another.
  private final ReentrantLock login = new ReentrantLock();

  private volatile boolean pinRefused;

  private Pkcs11Token(
      Cryptoki module,
      TokenSelector selector,
      Slot slot,
      PinSource pin,
      Pkcs11Session.Shared shared) {
    this.module = module;
    this.selector = selector;
    this.slot = slot.id();
    this.info = slot.info();
    this.pin = pin;
    this.shared = shared;
  }

  private record Slot(long id, SlotInfo info) {}

  /// How a token is used.
  ///
  /// @param sessionCopies whether MACs run on session-object copies of keys
  /// @param verify whether each MAC is verified by the token (`C_Verify`) before it is released
  public record Use(boolean sessionCopies, boolean verify) {}

  /// Loads the module and finds the token; does not log in.
  ///
  /// @throws TokenException when no token fits the selector, or more than one does
  public static Pkcs11Token find(Path modulePath, TokenSelector selector, PinSource pin, Use use)
      throws TokenException {
    return find(modulePath, Optional.empty(), selector, pin, use);
  }

  /// As [#find(Path, TokenSelector, PinSource, Use)].
  ///
  /// @param initArgs what the module is given at `C_Initialize`, for those that want more than
  ///   PKCS#11 has
  public static Pkcs11Token find(
      Path modulePath, Optional<String> initArgs, TokenSelector selector, PinSource pin, Use use)
      throws TokenException {
    Cryptoki module = Cryptoki.load(modulePath, initArgs);
    Slot slot = slot(module, selector);
    Set<Long> mechanisms =
        module.mechanisms(slot.id()).stream()
            .map(Cryptoki.Mechanism::type)
            .collect(Collectors.toUnmodifiableSet());
    var shared =
        new Pkcs11Session.Shared(
            module,
            mechanisms,
            use.sessionCopies(),
            use.verify(),
            new Handles(),
            new ReentrantReadWriteLock());
    return new Pkcs11Token(module, selector, slot, pin, shared);
  }

  private static Slot slot(Cryptoki module, TokenSelector selector) throws TokenException {
    List<Slot> fitting = new ArrayList<>();
    List<String> others = new ArrayList<>();
    for (long id : module.slots()) {
      SlotInfo info = module.info(id);
      if (selector.fits(info.token())) {
        fitting.add(new Slot(id, info));
      } else {
        others.add(info.token().label() + " (serial " + info.token().serial() + ")");
      }
    }
    if (fitting.size() != 1) {
      throw TokenException.fault(
          Fault.DEVICE,
          fitting.isEmpty()
              ? "no token of " + module.file() + " fits " + selector + "; there are " + others
              : fitting.size() + " tokens of " + module.file() + " fit " + selector);
    }
    return fitting.getFirst();
  }

  @Override
  public TokenInfo info() {
    return info.token();
  }

  /// What the token can do, for the preflight.
  public List<MechanismInfo> mechanisms() throws TokenException {
    return module.mechanisms(slot).stream()
        .map(m -> new MechanismInfo(m.type(), m.minKey(), m.maxKey(), m.sign() || m.generate()))
        .toList();
  }

  /// A mechanism as the token tells of it (`C_GetMechanismInfo`).
  ///
  /// @param usable for signing, or for making keys
  public record MechanismInfo(long type, long minKey, long maxKey, boolean usable) {}

  @Override
  public TokenSession open() throws TokenException {
    Handles handles = shared.handles();
    int epoch = handles.epoch();
    try (var _ = handles.enter(epoch)) {
      long handle = module.openSession(slot);
      var session = new Pkcs11Session(shared, handle, epoch);
      try {
        handles.opened(handle, epoch);
        ensureLoggedIn(handle);
      } catch (TokenException e) {
        session.close();
        throw e;
      }
      return session;
    }
  }

  @Override
  public boolean reinitialize(BooleanSupplier needed) throws TokenException {
    return shared
        .handles()
        .alone(
            LEAVING,
            needed,
            () -> {
              module.reinitialize();
              slot = slot(module, selector).id();
            });
  }

  @Override
  public void retryPin() {
    pinRefused = false;
  }

  /// Tries to get a key out of the token, for the preflight.
  ///
  /// @param name of the key that is made for it, and destroyed; no object has it
  public ExtractionTrial.Result tryExtraction(KeyObject name) throws TokenException {
    try (var _ = shared.handles().enter()) {
      long handle = module.openSession(slot);
      try {
        ensureLoggedIn(handle);
        return ExtractionTrial.run(module, handle, name, shared.mechanisms());
      } finally {
        module.closeSession(handle);
      }
    }
  }

  private void ensureLoggedIn(long session) throws TokenException {
    try {
      if (!login.tryLock(OTHERS_LOGIN.toNanos(), TimeUnit.NANOSECONDS)) {
        throw TokenException.fault(Fault.DEVICE, "the login of another lane does not come back");
      }
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
      throw TokenException.fault(Fault.DEVICE, "interrupted while another lane logs in", e);
    }
    try {
      if (!module.isLoggedIn(session)) {
        logIn(session);
      }
    } finally {
      login.unlock();
    }
  }

  private void logIn(long session) throws TokenException {
    if (pinRefused) {
      throw TokenException.fault(Fault.PIN, "the PIN was refused before and is not tried again");
    }
    SlotInfo now = module.info(slot);
    if (now.pinLocked() || now.pinFinalTry()) {
      pinRefused = true;
      throw TokenException.fault(
          Fault.PIN,
          now.pinLocked()
              ? "the token's PIN is locked"
              : "one more wrong PIN would lock the token; log in once with its own tools");
    }
    char[] secret;
    try {
      secret = pin.read();
    } catch (IOException e) {
      throw TokenException.fault(Fault.PIN, e.getMessage() == null ? "no PIN" : e.getMessage());
    }
    try {
      module.login(session, secret);
    } catch (TokenException e) {
      pinRefused = e.isPinRefused();
      throw e;
    } finally {
      Arrays.fill(secret, '\0');
    }
  }
}
