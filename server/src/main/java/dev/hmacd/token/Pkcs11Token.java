package dev.hmacd.token;

import com.google.errorprone.annotations.ThreadSafe;
import com.google.errorprone.annotations.concurrent.GuardedBy;
import dev.hmacd.token.Cryptoki.SlotInfo;
import dev.hmacd.token.TokenException.Fault;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.locks.ReadWriteLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;

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

  private final Cryptoki module;
  private final long slot;
  private final SlotInfo info;
  private final PinSource pin;
  private final boolean sessionCopies;
  private final ReadWriteLock copying = new ReentrantReadWriteLock();

  /// Login holds for the whole application, so at most one thread tries. Held across `C_Login`, and
  /// that is its purpose: who finds it taken waits for the one try instead of making another.
  private final Object login = new Object();

  @GuardedBy("login")
  private boolean pinRefused;

  private Pkcs11Token(
      Cryptoki module, long slot, SlotInfo info, PinSource pin, boolean sessionCopies) {
    this.module = module;
    this.slot = slot;
    this.info = info;
    this.pin = pin;
    this.sessionCopies = sessionCopies;
  }

  /// Loads the module and finds the token; does not log in.
  ///
  /// @param sessionCopies whether MACs run on session-object copies of keys
  /// @throws TokenException when no token fits the selector, or more than one does
  public static Pkcs11Token find(
      Path modulePath, TokenSelector selector, PinSource pin, boolean sessionCopies)
      throws TokenException {
    Cryptoki module = Cryptoki.load(modulePath);
    List<Pkcs11Token> fitting = new ArrayList<>();
    List<String> others = new ArrayList<>();
    for (long slot : module.slots()) {
      SlotInfo info = module.info(slot);
      if (selector.fits(info.token())) {
        fitting.add(new Pkcs11Token(module, slot, info, pin, sessionCopies));
      } else {
        others.add(info.token().label() + " (serial " + info.token().serial() + ")");
      }
    }
    if (fitting.size() != 1) {
      throw TokenException.fault(
          Fault.DEVICE,
          fitting.isEmpty()
              ? "no token of " + modulePath + " fits " + selector + "; there are " + others
              : fitting.size() + " tokens of " + modulePath + " fit " + selector);
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
    long handle = module.openSession(slot);
    var session = new Pkcs11Session(module, handle, sessionCopies, copying);
    try {
      ensureLoggedIn(handle);
    } catch (TokenException e) {
      session.close();
      throw e;
    }
    return session;
  }

  private void ensureLoggedIn(long session) throws TokenException {
    synchronized (login) {
      if (module.isLoggedIn(session)) {
        return;
      }
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
}
