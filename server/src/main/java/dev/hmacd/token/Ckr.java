package dev.hmacd.token;

import dev.hmacd.key.KeyAttributes.Unfit;
import dev.hmacd.token.TokenException.Fault;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// PKCS#11 return codes, each with the [Fault] to which a lane reacts. Tokens report a lost object,
/// login or session with different codes, so several codes map to one fault. A code that is not in
/// this table counts as a fault of the device.
final class Ckr {
  static final long ATTRIBUTE_SENSITIVE = 0x11;
  static final long ATTRIBUTE_TYPE_INVALID = 0x12;
  private static final long DATA_LEN_RANGE = 0x21;
  static final long MECHANISM_INVALID = 0x70;
  private static final long KEY_SIZE_RANGE = 0x62;
  private static final long KEY_TYPE_INCONSISTENT = 0x63;
  private static final long KEY_FUNCTION_NOT_PERMITTED = 0x68;
  private static final long ATTRIBUTE_VALUE_INVALID = 0x13;
  private static final long TEMPLATE_INCONSISTENT = 0xd1;
  static final long USER_ALREADY_LOGGED_IN = 0x100;
  private static final long USER_PIN_NOT_INITIALIZED = 0x102;
  static final long SIGNATURE_INVALID = 0xc0;
  static final long SIGNATURE_LEN_RANGE = 0xc1;

  private record Code(String name, Fault fault) {}

  private static final Map<Long, Code> CODES =
      Map.ofEntries(
          Map.entry(0x02L, new Code("CKR_HOST_MEMORY", Fault.DEVICE)),
          Map.entry(0x05L, new Code("CKR_GENERAL_ERROR", Fault.DEVICE)),
          Map.entry(0x06L, new Code("CKR_FUNCTION_FAILED", Fault.DEVICE)),
          Map.entry(0x07L, new Code("CKR_ARGUMENTS_BAD", Fault.SESSION)),
          Map.entry(ATTRIBUTE_VALUE_INVALID, new Code("CKR_ATTRIBUTE_VALUE_INVALID", Fault.DEVICE)),
          Map.entry(DATA_LEN_RANGE, new Code("CKR_DATA_LEN_RANGE", Fault.DEVICE)),
          Map.entry(0x30L, new Code("CKR_DEVICE_ERROR", Fault.DEVICE)),
          Map.entry(0x31L, new Code("CKR_DEVICE_MEMORY", Fault.DEVICE)),
          Map.entry(0x32L, new Code("CKR_DEVICE_REMOVED", Fault.DEVICE)),
          Map.entry(0x60L, new Code("CKR_KEY_HANDLE_INVALID", Fault.OBJECT)),
          // NSS returns CKR_KEY_SIZE_RANGE for any key after a logout. The daemon checks key
          // lengths itself, before the token does.
          Map.entry(KEY_SIZE_RANGE, new Code("CKR_KEY_SIZE_RANGE", Fault.SESSION)),
          Map.entry(KEY_TYPE_INCONSISTENT, new Code("CKR_KEY_TYPE_INCONSISTENT", Fault.SESSION)),
          Map.entry(
              KEY_FUNCTION_NOT_PERMITTED,
              new Code("CKR_KEY_FUNCTION_NOT_PERMITTED", Fault.SESSION)),
          Map.entry(MECHANISM_INVALID, new Code("CKR_MECHANISM_INVALID", Fault.DEVICE)),
          Map.entry(0x82L, new Code("CKR_OBJECT_HANDLE_INVALID", Fault.OBJECT)),
          Map.entry(0x90L, new Code("CKR_OPERATION_ACTIVE", Fault.SESSION)),
          Map.entry(0x91L, new Code("CKR_OPERATION_NOT_INITIALIZED", Fault.SESSION)),
          Map.entry(0xa0L, new Code("CKR_PIN_INCORRECT", Fault.PIN)),
          Map.entry(0xa1L, new Code("CKR_PIN_INVALID", Fault.PIN)),
          Map.entry(0xa2L, new Code("CKR_PIN_LEN_RANGE", Fault.PIN)),
          Map.entry(0xa3L, new Code("CKR_PIN_EXPIRED", Fault.PIN)),
          Map.entry(0xa4L, new Code("CKR_PIN_LOCKED", Fault.PIN)),
          Map.entry(0xb0L, new Code("CKR_SESSION_CLOSED", Fault.SESSION)),
          Map.entry(0xb1L, new Code("CKR_SESSION_COUNT", Fault.CAPACITY)),
          Map.entry(0xb3L, new Code("CKR_SESSION_HANDLE_INVALID", Fault.SESSION)),
          Map.entry(TEMPLATE_INCONSISTENT, new Code("CKR_TEMPLATE_INCONSISTENT", Fault.DEVICE)),
          Map.entry(0xe0L, new Code("CKR_TOKEN_NOT_PRESENT", Fault.DEVICE)),
          Map.entry(0xe1L, new Code("CKR_TOKEN_NOT_RECOGNIZED", Fault.DEVICE)),
          Map.entry(0xe2L, new Code("CKR_TOKEN_WRITE_PROTECTED", Fault.DEVICE)),
          Map.entry(USER_ALREADY_LOGGED_IN, new Code("CKR_USER_ALREADY_LOGGED_IN", Fault.NONE)),
          Map.entry(0x101L, new Code("CKR_USER_NOT_LOGGED_IN", Fault.LOGIN)),
          // A token returns this code while it is being initialised. The login does not count as an
          // attempt with the PIN.
          Map.entry(
              USER_PIN_NOT_INITIALIZED, new Code("CKR_USER_PIN_NOT_INITIALIZED", Fault.DEVICE)),
          Map.entry(SIGNATURE_INVALID, new Code("CKR_SIGNATURE_INVALID", Fault.DEVICE)),
          Map.entry(SIGNATURE_LEN_RANGE, new Code("CKR_SIGNATURE_LEN_RANGE", Fault.DEVICE)),
          Map.entry(0x190L, new Code("CKR_CRYPTOKI_NOT_INITIALIZED", Fault.MODULE)));

  /// The rule that a key breaks, by the return code with which the token refuses a MAC under the
  /// key. A token may return such a code for a key that breaks no rule, for example after a logout.
  private static final Map<Long, Unfit> UNFIT =
      Map.of(
          KEY_SIZE_RANGE,
          new Unfit("CKA_VALUE_LEN", "must be a length that the token accepts for this key spec"),
          KEY_TYPE_INCONSISTENT,
          new Unfit("CKA_KEY_TYPE", "must be a type that the token accepts for this key spec"),
          KEY_FUNCTION_NOT_PERMITTED,
          new Unfit("CKA_SIGN", "must be true, and the token must permit MACs under the key"),
          MECHANISM_INVALID,
          new Unfit(
              "CKA_ALLOWED_MECHANISMS",
              "must contain the mechanism of the key spec, or not be set"));

  /// Codes with which a token refuses to generate a key of a type.
  private static final Set<Long> REFUSED_TYPES =
      Set.of(ATTRIBUTE_VALUE_INVALID, KEY_TYPE_INCONSISTENT, TEMPLATE_INCONSISTENT);

  private Ckr() {}

  /// The failure of a PKCS#11 function. Only the message contains the return code, for the log.
  static TokenException exception(String function, long code, Exception cause) {
    return TokenException.fault(fault(code), function + " returned " + name(code), cause);
  }

  /// As [#exception], for C_Login. The failure of a token without a user PIN has the remedy.
  ///
  /// @param pinName name of the PIN's source
  static TokenException loginException(
      long code, String tokenName, String pinName, Exception cause) {
    TokenException failure = exception("C_Login", code, cause);
    return code == USER_PIN_NOT_INITIALIZED
        ? TokenException.fault(
            failure.fault(),
            "token.pin_file: the token "
                + tokenName
                + " has no user PIN ("
                + failure.getMessage()
                + "); set the PIN of "
                + pinName
                + ", for example with pkcs11-tool --init-pin",
            cause)
        : failure;
  }

  /// As [#exception], for a function that computes a MAC. If the code may be a refusal of the key,
  /// the failure has the rule that the key breaks ([TokenException#isKeyRefused]). The code may
  /// also be a refusal of the message's length ([TokenException#isLengthRefused]).
  static TokenException macException(String function, long code, Exception cause) {
    String text = function + " returned " + name(code);
    return code == DATA_LEN_RANGE
        ? TokenException.lengthRefused(fault(code), text, cause)
        : TokenException.fault(fault(code), unfit(code), text, cause);
  }

  /// As [#exception], for a function that generates a key. If the code may be a refusal of the key
  /// type, the failure has a rule for CKA_KEY_TYPE ([TokenException#isKeyRefused]).
  static TokenException generationException(String function, long code, Exception cause) {
    return TokenException.fault(
        fault(code),
        REFUSED_TYPES.contains(code)
            ? new Unfit("CKA_KEY_TYPE", "must be a type that the token generates")
            : null,
        function + " returned " + name(code),
        cause);
  }

  static Fault fault(long code) {
    Code known = CODES.get(code);
    return known == null ? Fault.DEVICE : known.fault();
  }

  static @Nullable Unfit unfit(long code) {
    return UNFIT.get(code);
  }

  static String name(long code) {
    Code known = CODES.get(code);
    return known == null ? "CKR 0x" + Long.toHexString(code) : known.name();
  }
}
