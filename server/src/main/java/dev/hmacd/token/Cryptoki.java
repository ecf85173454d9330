package dev.hmacd.token;

import dev.hmacd.file.FileException;
import dev.hmacd.token.TokenException.Fault;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import sun.security.pkcs11.wrapper.CK_ATTRIBUTE;
import sun.security.pkcs11.wrapper.CK_C_INITIALIZE_ARGS;
import sun.security.pkcs11.wrapper.CK_MECHANISM;
import sun.security.pkcs11.wrapper.CK_MECHANISM_INFO;
import sun.security.pkcs11.wrapper.CK_TOKEN_INFO;
import sun.security.pkcs11.wrapper.PKCS11;
import sun.security.pkcs11.wrapper.PKCS11Constants;
import sun.security.pkcs11.wrapper.PKCS11Exception;

/// A PKCS#11 module, called through the JDK's wrapper (`sun.security.pkcs11.wrapper`). Only this
/// class uses the wrapper, so a change to another binding changes only this file. Each method calls
/// the PKCS#11 functions of one operation. Thread-safe if the module is thread-safe: C_Initialize
/// lets the module use locks of the operating system (CKF_OS_LOCKING_OK).
final class Cryptoki {
  private static final Logger log = LoggerFactory.getLogger(Cryptoki.class);

  private final ModuleFile file;
  private final Optional<String> initArgs;

  /// Null until the module is initialised for the first time.
  private volatile @Nullable PKCS11 connected;

  /// Number of reinitializations of the module. Used by [#reinitialize] only.
  private int incarnation;

  private Cryptoki(ModuleFile file, Optional<String> initArgs, @Nullable PKCS11 module) {
    this.file = file;
    this.initArgs = initArgs;
    this.connected = module;
  }

  /// Loads and initialises a module (`C_GetFunctionList`, `C_Initialize`). A process loads each
  /// module only once.
  ///
  /// @param initArgs value of `pReserved` for `C_Initialize`, which some vendors' modules read
  static Cryptoki load(Path path, Optional<String> initArgs) throws TokenException {
    var file = new ModuleFile(path);
    return new Cryptoki(file, initArgs, connect(file, path.toString(), initArgs));
  }

  /// As [#load], but also returns if `C_Initialize` fails: then every call fails until
  /// [#reinitialize] succeeds.
  static Cryptoki loadEvenIfUnreachable(Path path, Optional<String> initArgs)
      throws TokenException {
    try {
      return load(path, initArgs);
    } catch (TokenException e) {
      if (e.getCause() instanceof IOException) {
        throw e; // The file is missing, is not a module, or is not protected.
      }
      log.atWarn()
          .addKeyValue("module", path)
          .addKeyValue("reason", e.getMessage())
          .log("PKCS#11 module not initialised yet: C_Initialize failed");
      return new Cryptoki(new ModuleFile(path), initArgs, null);
    }
  }

  private PKCS11 module() throws TokenException {
    PKCS11 known = connected;
    if (known == null) {
      throw TokenException.fault(Fault.MODULE, "the PKCS#11 module is not initialised");
    }
    return known;
  }

  /// @param spelling the path of the file, in a spelling that was not used before
  private static PKCS11 connect(ModuleFile file, String spelling, Optional<String> initArgs)
      throws TokenException {
    var arguments = new CK_C_INITIALIZE_ARGS();
    arguments.pReserved = initArgs.orElse(null);
    arguments.flags = PKCS11Constants.CKF_OS_LOCKING_OK;
    try {
      file.requireProtected();
      return PKCS11.getInstance(spelling, "C_GetFunctionList", arguments, false);
    } catch (FileException e) {
      throw TokenException.fault(Fault.DEVICE, String.valueOf(e.getMessage()), e);
    } catch (IOException e) {
      throw TokenException.fault(Fault.DEVICE, file.loadFailure(e), e);
    } catch (PKCS11Exception e) {
      long code = e.getErrorCode();
      throw TokenException.fault(Ckr.fault(code), file.initializeFailure(Ckr.name(code)), e);
    }
  }

  /// Finalizes and initialises the module (`C_Finalize`, `C_Initialize`). No other call may run in
  /// the module meanwhile. All handles of the module become invalid.
  void reinitialize() throws TokenException {
    PKCS11 old = connected;
    try {
      if (old != null) {
        old.C_Finalize(null);
      }
    } catch (PKCS11Exception e) {
      // A broken module may return an error from C_Finalize, too. The module counts as finalized in
      // spite of the error.
      log.atDebug().setCause(e).log("C_Finalize failed; the module counts as finalized");
    }
    incarnation++;
    connected = connect(file, file.spelling(incarnation), initArgs);
    log.atWarn().log("PKCS#11 module finalized and initialised again");
  }

  Path path() {
    return file.path();
  }

  /// The slots that contain a token.
  long[] slots() throws TokenException {
    try {
      return module().C_GetSlotList(true);
    } catch (PKCS11Exception e) {
      throw classify("C_GetSlotList", e);
    }
  }

  /// @param isInitialized whether the token was initialised (CKF_TOKEN_INITIALIZED)
  /// @param pinFinalTry whether the next wrong PIN locks the token
  record SlotInfo(TokenInfo token, boolean isInitialized, boolean pinFinalTry, boolean pinLocked) {}

  SlotInfo info(long slot) throws TokenException {
    try {
      CK_TOKEN_INFO info = module().C_GetTokenInfo(slot);
      boolean limited = info.ulMaxSessionCount > 0 && info.ulMaxSessionCount < Integer.MAX_VALUE;
      return new SlotInfo(
          new TokenInfo(
              CkStrings.text(info.label),
              CkStrings.text(info.serialNumber),
              CkStrings.text(info.manufacturerID),
              CkStrings.text(info.model),
              limited ? OptionalLong.of(info.ulMaxSessionCount) : OptionalLong.empty()),
          (info.flags & PKCS11Constants.CKF_TOKEN_INITIALIZED) != 0,
          (info.flags & PKCS11Constants.CKF_USER_PIN_FINAL_TRY) != 0,
          (info.flags & PKCS11Constants.CKF_USER_PIN_LOCKED) != 0);
    } catch (PKCS11Exception e) {
      throw classify("C_GetTokenInfo", e);
    }
  }

  /// A mechanism of a slot.
  ///
  /// @param minKey minimum key size in bits or bytes: the unit depends on the token and on the
  ///   mechanism
  record Mechanism(long type, long minKey, long maxKey, boolean sign, boolean generate) {}

  List<Mechanism> mechanisms(long slot) throws TokenException {
    try {
      List<Mechanism> all = new ArrayList<>();
      for (long type : module().C_GetMechanismList(slot)) {
        CK_MECHANISM_INFO info = module().C_GetMechanismInfo(slot, type);
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

  /// Opens a read-write session.
  long openSession(long slot) throws TokenException {
    long flags = PKCS11Constants.CKF_SERIAL_SESSION | PKCS11Constants.CKF_RW_SESSION;
    try {
      return module().C_OpenSession(slot, flags, null, null);
    } catch (PKCS11Exception e) {
      throw classify("C_OpenSession", e);
    }
  }

  void closeSession(long session) throws TokenException {
    try {
      module().C_CloseSession(session);
    } catch (PKCS11Exception e) {
      throw classify("C_CloseSession", e);
    }
  }

  /// Whether the user is logged in, according to the state of a session.
  boolean isLoggedIn(long session) throws TokenException {
    try {
      long state = module().C_GetSessionInfo(session).state;
      return state == PKCS11Constants.CKS_RO_USER_FUNCTIONS
          || state == PKCS11Constants.CKS_RW_USER_FUNCTIONS;
    } catch (PKCS11Exception e) {
      throw classify("C_GetSessionInfo", e);
    }
  }

  /// @param pin the PIN as text; the token gets its UTF-8 bytes
  void login(long session, char[] pin, String tokenName, String pinName) throws TokenException {
    char[] wire = CkStrings.pin(pin);
    try {
      module().C_Login(session, PKCS11Constants.CKU_USER, wire);
    } catch (PKCS11Exception e) {
      if (e.getErrorCode() != Ckr.USER_ALREADY_LOGGED_IN) {
        throw Ckr.loginException(e.getErrorCode(), tokenName, pinName, e);
      }
    } finally {
      Arrays.fill(wire, '\0');
    }
  }

  /// Generates a key.
  ///
  /// @param template attribute values by attribute type: numbers, flags and bytes
  long generateKey(long session, long mechanism, Map<Long, Object> template) throws TokenException {
    try {
      return module().C_GenerateKey(session, new CK_MECHANISM(mechanism), attributes(template));
    } catch (PKCS11Exception e) {
      throw e.getErrorCode() == Ckr.MECHANISM_INVALID
          ? unsupported("C_GenerateKey", e)
          : Ckr.generationException("C_GenerateKey", e.getErrorCode(), e);
    }
  }

  /// Copies a key.
  ///
  /// @param template attributes in which the copy differs from the key
  long copy(long session, long handle, Map<Long, Object> template) throws TokenException {
    try {
      return module().C_CopyObject(session, handle, attributes(template));
    } catch (PKCS11Exception e) {
      throw classify("C_CopyObject", e);
    }
  }

  private static CK_ATTRIBUTE[] attributes(Map<Long, Object> template) {
    return template.entrySet().stream()
        .map(each -> new CK_ATTRIBUTE(each.getKey(), each.getValue()))
        .toArray(CK_ATTRIBUTE[]::new);
  }

  void destroy(long session, long handle) throws TokenException {
    try {
      module().C_DestroyObject(session, handle);
    } catch (PKCS11Exception e) {
      throw classify("C_DestroyObject", e);
    }
  }

  byte[] random(long session, int count) throws TokenException {
    byte[] bytes = new byte[count];
    try {
      module().C_GenerateRandom(session, bytes);
      return bytes;
    } catch (PKCS11Exception e) {
      throw classify("C_GenerateRandom", e);
    }
  }

  /// The objects that match a template.
  long[] find(long session, Map<Long, Object> template, int limit) throws TokenException {
    try {
      module().C_FindObjectsInit(session, attributes(template));
      try {
        return module().C_FindObjects(session, limit);
      } finally {
        module().C_FindObjectsFinal(session);
      }
    } catch (PKCS11Exception e) {
      throw classify("C_FindObjects", e);
    }
  }

  /// Reads one attribute of an object; null if the token does not return the attribute. Reads it in
  /// a separate call, because some tokens lack some attributes.
  byte @Nullable [] bytes(long session, long handle, long type) throws TokenException {
    CK_ATTRIBUTE attribute = attribute(session, handle, type);
    if (attribute == null || attribute.pValue == null) {
      return null;
    }
    // The wrapper converts each byte of a label to a char.
    return attribute.pValue instanceof char[] chars
        ? new String(chars).getBytes(StandardCharsets.ISO_8859_1)
        : attribute.getByteArray();
  }

  /// Reads attributes of an object, in one call if the token has all of them. The result has values
  /// by attribute type, without the attributes that have no value.
  Map<Long, Object> attributes(long session, long handle, Collection<Long> types)
      throws TokenException {
    CK_ATTRIBUTE[] template = types.stream().map(CK_ATTRIBUTE::new).toArray(CK_ATTRIBUTE[]::new);
    Map<Long, Object> values = new HashMap<>();
    try {
      module().C_GetAttributeValue(session, handle, template);
      for (CK_ATTRIBUTE each : template) {
        put(values, each);
      }
    } catch (PKCS11Exception e) {
      if (!isWithheld(e)) {
        throw classify("C_GetAttributeValue", e);
      }
      for (long type : types) {
        CK_ATTRIBUTE alone = attribute(session, handle, type);
        if (alone != null) {
          put(values, alone);
        }
      }
    }
    return values;
  }

  private static void put(Map<Long, Object> values, CK_ATTRIBUTE attribute) {
    if (attribute.pValue != null) {
      values.put(attribute.type, attribute.pValue);
    }
  }

  private static boolean isWithheld(PKCS11Exception e) {
    return e.getErrorCode() == Ckr.ATTRIBUTE_TYPE_INVALID
        || e.getErrorCode() == Ckr.ATTRIBUTE_SENSITIVE;
  }

  private @Nullable CK_ATTRIBUTE attribute(long session, long handle, long type)
      throws TokenException {
    // The JDK's wrapper replaces the array element, and does not change the given CK_ATTRIBUTE.
    CK_ATTRIBUTE[] template = {new CK_ATTRIBUTE(type)};
    try {
      module().C_GetAttributeValue(session, handle, template);
      return template[0];
    } catch (PKCS11Exception e) {
      if (isWithheld(e)) {
        return null;
      }
      throw classify("C_GetAttributeValue", e);
    }
  }

  /// Computes a MAC with `C_SignInit` and `C_Sign`: two calls for every length of the message.
  byte[] sign(long session, long mechanism, long handle, byte[] message) throws TokenException {
    try {
      module().C_SignInit(session, new CK_MECHANISM(mechanism), handle);
      return module().C_Sign(session, message);
    } catch (PKCS11Exception e) {
      throw e.getErrorCode() == Ckr.MECHANISM_INVALID
          ? unsupported("C_Sign", e)
          : Ckr.macException("C_Sign", e.getErrorCode(), e);
    }
  }

  /// Whether the token accepts a MAC (`C_VerifyInit` and `C_Verify`).
  boolean verify(long session, long mechanism, long handle, byte[] message, byte[] mac)
      throws TokenException {
    try {
      module().C_VerifyInit(session, new CK_MECHANISM(mechanism), handle);
      module().C_Verify(session, message, mac);
      return true;
    } catch (PKCS11Exception e) {
      if (e.getErrorCode() == Ckr.SIGNATURE_INVALID
          || e.getErrorCode() == Ckr.SIGNATURE_LEN_RANGE) {
        return false;
      }
      throw classify("C_Verify", e);
    }
  }

  /// @param parameter mechanism parameter; null if the mechanism has none
  byte[] wrap(
      long session, long mechanism, byte @Nullable [] parameter, long wrappingKey, long handle)
      throws TokenException {
    CK_MECHANISM wrapping =
        parameter == null ? new CK_MECHANISM(mechanism) : new CK_MECHANISM(mechanism, parameter);
    try {
      return module().C_WrapKey(session, wrapping, wrappingKey, handle);
    } catch (PKCS11Exception e) {
      throw classify("C_WrapKey", e);
    }
  }

  private static TokenException classify(String function, PKCS11Exception e) {
    return Ckr.exception(function, e.getErrorCode(), e);
  }

  private static TokenException unsupported(String function, PKCS11Exception e) {
    return TokenException.unsupported(function + " returned " + Ckr.name(e.getErrorCode()), e);
  }
}
