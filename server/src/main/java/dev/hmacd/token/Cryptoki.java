package dev.hmacd.token;

import dev.hmacd.token.TokenException.Fault;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;
import sun.security.pkcs11.wrapper.CK_ATTRIBUTE;
import sun.security.pkcs11.wrapper.CK_C_INITIALIZE_ARGS;
import sun.security.pkcs11.wrapper.CK_MECHANISM;
import sun.security.pkcs11.wrapper.CK_MECHANISM_INFO;
import sun.security.pkcs11.wrapper.CK_TOKEN_INFO;
import sun.security.pkcs11.wrapper.PKCS11;
import sun.security.pkcs11.wrapper.PKCS11Constants;
import sun.security.pkcs11.wrapper.PKCS11Exception;

/// A PKCS#11 module, by way of the JDK's session-level wrapper: the only class that knows it, so
/// that another binding would be one file. Each method is the PKCS#11 function of its name;
/// thread-safe as far as the module is (it is told to use the system's locks).
final class Cryptoki {
  static final long CKM_GENERIC_SECRET_KEY_GEN = PKCS11Constants.CKM_GENERIC_SECRET_KEY_GEN;
  static final long CKM_SHA224_HMAC = PKCS11Constants.CKM_SHA224_HMAC;
  static final long CKM_SHA256_HMAC = PKCS11Constants.CKM_SHA256_HMAC;
  static final long CKM_SHA384_HMAC = PKCS11Constants.CKM_SHA384_HMAC;
  static final long CKM_SHA512_HMAC = PKCS11Constants.CKM_SHA512_HMAC;

  static final long CKA_LABEL = PKCS11Constants.CKA_LABEL;
  static final long CKA_ID = PKCS11Constants.CKA_ID;
  static final long CKA_SENSITIVE = PKCS11Constants.CKA_SENSITIVE;
  static final long CKA_EXTRACTABLE = PKCS11Constants.CKA_EXTRACTABLE;
  static final long CKA_SIGN = PKCS11Constants.CKA_SIGN;
  static final long CKA_ALWAYS_SENSITIVE = PKCS11Constants.CKA_ALWAYS_SENSITIVE;
  static final long CKA_NEVER_EXTRACTABLE = PKCS11Constants.CKA_NEVER_EXTRACTABLE;
  static final long CKA_LOCAL = PKCS11Constants.CKA_LOCAL;
  static final long CKA_VALUE_LEN = PKCS11Constants.CKA_VALUE_LEN;

  private static final long CKF_USER_PIN_FINAL_TRY = 0x00020000;
  private static final long CKF_USER_PIN_LOCKED = 0x00040000;

  private final PKCS11 module;

  private Cryptoki(PKCS11 module) {
    this.module = module;
  }

  /// Loads and initialises a module: `C_GetFunctionList` and `C_Initialize`, once in a process.
  static Cryptoki load(Path file) throws TokenException {
    var arguments = new CK_C_INITIALIZE_ARGS();
    arguments.flags = PKCS11Constants.CKF_OS_LOCKING_OK;
    try {
      return new Cryptoki(
          PKCS11.getInstance(file.toString(), "C_GetFunctionList", arguments, false));
    } catch (IOException e) {
      throw TokenException.fault(Fault.DEVICE, "cannot load the PKCS#11 module " + file, e);
    } catch (PKCS11Exception e) {
      throw classify("C_Initialize", e);
    }
  }

  /// The slots with a token in them.
  long[] slots() throws TokenException {
    try {
      return module.C_GetSlotList(true);
    } catch (PKCS11Exception e) {
      throw classify("C_GetSlotList", e);
    }
  }

  /// @param pinFinalTry the next wrong PIN locks the token
  record SlotInfo(TokenInfo token, boolean pinFinalTry, boolean pinLocked) {}

  SlotInfo info(long slot) throws TokenException {
    try {
      CK_TOKEN_INFO info = module.C_GetTokenInfo(slot);
      boolean limited = info.ulMaxSessionCount > 0 && info.ulMaxSessionCount < Integer.MAX_VALUE;
      return new SlotInfo(
          new TokenInfo(
              text(info.label),
              text(info.serialNumber),
              text(info.manufacturerID),
              text(info.model),
              limited ? OptionalLong.of(info.ulMaxSessionCount) : OptionalLong.empty()),
          (info.flags & CKF_USER_PIN_FINAL_TRY) != 0,
          (info.flags & CKF_USER_PIN_LOCKED) != 0);
    } catch (PKCS11Exception e) {
      throw classify("C_GetTokenInfo", e);
    }
  }

  private static String text(char @Nullable [] padded) {
    return padded == null ? "" : new String(padded).strip();
  }

  /// A mechanism of a slot.
  ///
  /// @param minKey in bits or bytes: tokens differ, and so does PKCS#11 by mechanism
  record Mechanism(long type, long minKey, long maxKey, boolean sign, boolean generate) {}

  List<Mechanism> mechanisms(long slot) throws TokenException {
    try {
      List<Mechanism> all = new ArrayList<>();
      for (long type : module.C_GetMechanismList(slot)) {
        CK_MECHANISM_INFO info = module.C_GetMechanismInfo(slot, type);
        all.add(
            new Mechanism(
                type,
                info.ulMinKeySize,
                info.ulMaxKeySize,
                (info.flags & PKCS11Constants.CKF_SIGN) != 0,
                (info.flags & PKCS11Constants.CKF_GENERATE) != 0));
      }
      return all;
    } catch (PKCS11Exception e) {
      throw classify("C_GetMechanismInfo", e);
    }
  }

  /// A session that can make token objects.
  long openSession(long slot) throws TokenException {
    long flags = PKCS11Constants.CKF_SERIAL_SESSION | PKCS11Constants.CKF_RW_SESSION;
    try {
      return module.C_OpenSession(slot, flags, null, null);
    } catch (PKCS11Exception e) {
      throw classify("C_OpenSession", e);
    }
  }

  void closeSession(long session) throws TokenException {
    try {
      module.C_CloseSession(session);
    } catch (PKCS11Exception e) {
      throw classify("C_CloseSession", e);
    }
  }

  /// Whether the application's user is logged in, as this session sees it.
  boolean isLoggedIn(long session) throws TokenException {
    try {
      long state = module.C_GetSessionInfo(session).state;
      return state == PKCS11Constants.CKS_RO_USER_FUNCTIONS
          || state == PKCS11Constants.CKS_RW_USER_FUNCTIONS;
    } catch (PKCS11Exception e) {
      throw classify("C_GetSessionInfo", e);
    }
  }

  void login(long session, char[] pin) throws TokenException {
    try {
      module.C_Login(session, PKCS11Constants.CKU_USER, pin);
    } catch (PKCS11Exception e) {
      if (e.getErrorCode() != Ckr.USER_ALREADY_LOGGED_IN) {
        throw classify("C_Login", e);
      }
    }
  }

  long generateSecretKey(long session, String label, byte[] id, int keyBytes)
      throws TokenException {
    CK_ATTRIBUTE[] template = {
      new CK_ATTRIBUTE(PKCS11Constants.CKA_CLASS, PKCS11Constants.CKO_SECRET_KEY),
      new CK_ATTRIBUTE(PKCS11Constants.CKA_KEY_TYPE, PKCS11Constants.CKK_GENERIC_SECRET),
      new CK_ATTRIBUTE(PKCS11Constants.CKA_VALUE_LEN, keyBytes),
      new CK_ATTRIBUTE(PKCS11Constants.CKA_TOKEN, true),
      new CK_ATTRIBUTE(PKCS11Constants.CKA_PRIVATE, true),
      new CK_ATTRIBUTE(CKA_SENSITIVE, true),
      new CK_ATTRIBUTE(CKA_EXTRACTABLE, false),
      new CK_ATTRIBUTE(CKA_SIGN, true),
      new CK_ATTRIBUTE(PKCS11Constants.CKA_VERIFY, true),
      new CK_ATTRIBUTE(CKA_LABEL, label.getBytes(StandardCharsets.UTF_8)),
      new CK_ATTRIBUTE(CKA_ID, id)
    };
    try {
      return module.C_GenerateKey(session, new CK_MECHANISM(CKM_GENERIC_SECRET_KEY_GEN), template);
    } catch (PKCS11Exception e) {
      throw classify("C_GenerateKey", e);
    }
  }

  long copyToSession(long session, long handle) throws TokenException {
    try {
      return module.C_CopyObject(
          session, handle, new CK_ATTRIBUTE[] {new CK_ATTRIBUTE(PKCS11Constants.CKA_TOKEN, false)});
    } catch (PKCS11Exception e) {
      throw classify("C_CopyObject", e);
    }
  }

  void destroy(long session, long handle) throws TokenException {
    try {
      module.C_DestroyObject(session, handle);
    } catch (PKCS11Exception e) {
      throw classify("C_DestroyObject", e);
    }
  }

  byte[] random(long session, int count) throws TokenException {
    byte[] bytes = new byte[count];
    try {
      module.C_GenerateRandom(session, bytes);
      return bytes;
    } catch (PKCS11Exception e) {
      throw classify("C_GenerateRandom", e);
    }
  }

  /// The secret keys on the token (not session objects) with this label, id, or both.
  long[] findSecretKeys(long session, @Nullable String label, byte @Nullable [] id, int limit)
      throws TokenException {
    List<CK_ATTRIBUTE> template = new ArrayList<>();
    template.add(new CK_ATTRIBUTE(PKCS11Constants.CKA_CLASS, PKCS11Constants.CKO_SECRET_KEY));
    template.add(new CK_ATTRIBUTE(PKCS11Constants.CKA_TOKEN, true));
    if (label != null) {
      template.add(new CK_ATTRIBUTE(CKA_LABEL, label.getBytes(StandardCharsets.UTF_8)));
    }
    if (id != null) {
      template.add(new CK_ATTRIBUTE(CKA_ID, id));
    }
    try {
      module.C_FindObjectsInit(session, template.toArray(CK_ATTRIBUTE[]::new));
      try {
        return module.C_FindObjects(session, limit);
      } finally {
        module.C_FindObjectsFinal(session);
      }
    } catch (PKCS11Exception e) {
      throw classify("C_FindObjects", e);
    }
  }

  /// One attribute, asked for alone, since some tokens lack some: null when this token does not
  /// tell it.
  byte @Nullable [] bytes(long session, long handle, long type) throws TokenException {
    CK_ATTRIBUTE attribute = attribute(session, handle, type);
    if (attribute == null || attribute.pValue == null) {
      return null;
    }
    // The wrapper makes a char of each byte of a label.
    return attribute.pValue instanceof char[] chars
        ? new String(chars).getBytes(StandardCharsets.ISO_8859_1)
        : attribute.getByteArray();
  }

  @Nullable Boolean flag(long session, long handle, long type) throws TokenException {
    CK_ATTRIBUTE attribute = attribute(session, handle, type);
    return (attribute != null && attribute.pValue instanceof Boolean value) ? value : null;
  }

  @Nullable Long number(long session, long handle, long type) throws TokenException {
    CK_ATTRIBUTE attribute = attribute(session, handle, type);
    return (attribute != null && attribute.pValue instanceof Long value) ? value : null;
  }

  private @Nullable CK_ATTRIBUTE attribute(long session, long handle, long type)
      throws TokenException {
    // The wrapper does not fill the attribute in; it puts another in its place.
    CK_ATTRIBUTE[] template = {new CK_ATTRIBUTE(type)};
    try {
      module.C_GetAttributeValue(session, handle, template);
      return template[0];
    } catch (PKCS11Exception e) {
      if (e.getErrorCode() == Ckr.ATTRIBUTE_TYPE_INVALID
          || e.getErrorCode() == Ckr.ATTRIBUTE_SENSITIVE) {
        return null;
      }
      throw classify("C_GetAttributeValue", e);
    }
  }

  /// `C_SignInit` and `C_Sign`: two calls, whatever the message's length.
  byte[] sign(long session, long mechanism, long handle, byte[] message) throws TokenException {
    try {
      module.C_SignInit(session, new CK_MECHANISM(mechanism), handle);
      return module.C_Sign(session, message);
    } catch (PKCS11Exception e) {
      throw classify("C_Sign", e);
    }
  }

  private static TokenException classify(String function, PKCS11Exception e) {
    return classify(function, e.getErrorCode(), e);
  }

  /// The return code stays in the message, for the log; the fault is what anyone acts on.
  static TokenException classify(String function, long code, Exception cause) {
    String message = function + " answered " + Ckr.name(code);
    if (code == Ckr.MECHANISM_INVALID) {
      return TokenException.unsupported(message, cause);
    }
    return TokenException.fault(Ckr.fault(code), Ckr.unfit(code), message, cause);
  }
}
