package dev.hmacd.token;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import dev.hmacd.key.KeyAttributes;
import dev.hmacd.key.KeyObject;
import dev.hmacd.testing.ContractToken;
import java.util.Map;
import java.util.Optional;
import java.util.StringJoiner;
import java.util.TreeMap;
import sun.security.pkcs11.wrapper.CK_ATTRIBUTE;
import sun.security.pkcs11.wrapper.CK_MECHANISM;
import sun.security.pkcs11.wrapper.PKCS11;
import sun.security.pkcs11.wrapper.PKCS11Constants;
import sun.security.pkcs11.wrapper.PKCS11Exception;

/// Direct access to a module, as another user of the module in this process. All sessions see the
/// effects.
final class RawModule {
  private final PKCS11 module;
  private final long slot;

  /// @param token a token of an initialized module
  RawModule(ContractToken token) throws Exception {
    module = PKCS11.getInstance(token.module().toString(), "C_GetFunctionList", null, false);
    long found = -1;
    for (long each : module.C_GetSlotList(true)) {
      if (CkStrings.text(module.C_GetTokenInfo(each).label).equals(token.label())) {
        found = each;
      }
    }
    slot = found;
  }

  /// An operation in a session.
  private interface Work<T> {
    T on(long session) throws Exception;
  }

  private <T> T inSession(Work<T> work) throws Exception {
    long flags = PKCS11Constants.CKF_SERIAL_SESSION | PKCS11Constants.CKF_RW_SESSION;
    long session = module.C_OpenSession(slot, flags, null, null);
    try {
      return work.on(session);
    } finally {
      module.C_CloseSession(session);
    }
  }

  /// Signs with a handle. Returns `works`, or the return code without its prefix `CKR_`.
  String use(long handle) throws Exception {
    return inSession(
        session -> {
          try {
            var mechanism = new CK_MECHANISM(PKCS11Constants.CKM_SHA256_HMAC);
            module.C_SignInit(session, mechanism, handle);
            module.C_Sign(session, new byte[] {1});
            return "works";
          } catch (PKCS11Exception e) {
            return Ckr.name(e.getErrorCode()).replace("CKR_", "");
          }
        });
  }

  void logout() throws Exception {
    var _ =
        inSession(
            session -> {
              module.C_Logout(session);
              return true;
            });
  }

  /// Imports a known key with these attributes, as a key ceremony does.
  void create(KeyObject name, byte[] key, boolean sensitive, boolean extractable, boolean sign)
      throws Exception {
    create(
        name,
        key,
        Map.of(
            PKCS11Constants.CKA_SENSITIVE, Optional.of(sensitive),
            PKCS11Constants.CKA_EXTRACTABLE, Optional.of(extractable),
            PKCS11Constants.CKA_SIGN, Optional.of(sign)));
  }

  /// As [#create(KeyObject, byte[], boolean, boolean, boolean)], with a valid template except for
  /// these flags.
  ///
  /// @param flags by type; the template omits an empty flag
  void create(KeyObject name, byte[] key, Map<Long, Optional<Boolean>> flags) throws Exception {
    Map<Long, Object> template = new TreeMap<>();
    template.put(PKCS11Constants.CKA_CLASS, PKCS11Constants.CKO_SECRET_KEY);
    template.put(PKCS11Constants.CKA_KEY_TYPE, PKCS11Constants.CKK_GENERIC_SECRET);
    template.put(PKCS11Constants.CKA_TOKEN, true);
    template.put(PKCS11Constants.CKA_PRIVATE, true);
    template.put(PKCS11Constants.CKA_SENSITIVE, true);
    template.put(PKCS11Constants.CKA_EXTRACTABLE, false);
    template.put(PKCS11Constants.CKA_SIGN, true);
    template.put(PKCS11Constants.CKA_VERIFY, true);
    template.put(PKCS11Constants.CKA_LABEL, name.label().getBytes(UTF_8));
    template.put(PKCS11Constants.CKA_VALUE, key);
    if (!name.idHex().isEmpty()) {
      template.put(PKCS11Constants.CKA_ID, name.id());
    }
    flags.forEach(
        (type, value) ->
            value.ifPresentOrElse(flag -> template.put(type, flag), () -> template.remove(type)));
    CK_ATTRIBUTE[] attributes =
        template.entrySet().stream()
            .map(each -> new CK_ATTRIBUTE(each.getKey(), each.getValue()))
            .toArray(CK_ATTRIBUTE[]::new);
    var _ = inSession(session -> module.C_CreateObject(session, attributes));
    if (!flags.containsKey(PKCS11Constants.CKA_DERIVE)) {
      forbidDerivation(name);
    }
  }

  /// Sets CKA_DERIVE to false. `pkcs11-tool` cannot set it, and openCryptoki's default is true.
  void forbidDerivation(KeyObject name) throws Exception {
    var _ =
        inSession(
            session -> {
              CK_ATTRIBUTE[] wanted = {
                new CK_ATTRIBUTE(PKCS11Constants.CKA_TOKEN, true),
                new CK_ATTRIBUTE(PKCS11Constants.CKA_LABEL, name.label().getBytes(UTF_8))
              };
              module.C_FindObjectsInit(session, wanted);
              long[] found = module.C_FindObjects(session, 10);
              module.C_FindObjectsFinal(session);
              for (long each : found) {
                if (mayDerive(session, each)) {
                  CK_ATTRIBUTE[] forbidden = {new CK_ATTRIBUTE(PKCS11Constants.CKA_DERIVE, false)};
                  module.C_SetAttributeValue(session, each, forbidden);
                }
              }
              return true;
            });
  }

  private boolean mayDerive(long session, long handle) {
    CK_ATTRIBUTE[] template = {new CK_ATTRIBUTE(PKCS11Constants.CKA_DERIVE)};
    try {
      module.C_GetAttributeValue(session, handle, template);
      return template[0].getBoolean();
    } catch (PKCS11Exception e) {
      return false; // The token does not report the attribute.
    }
  }

  /// A flag of the object with this name; empty if the token does not report it.
  Optional<Boolean> flag(KeyObject name, long type) throws Exception {
    return inSession(
        session -> {
          CK_ATTRIBUTE[] wanted = {
            new CK_ATTRIBUTE(PKCS11Constants.CKA_TOKEN, true),
            new CK_ATTRIBUTE(PKCS11Constants.CKA_LABEL, name.label().getBytes(UTF_8)),
            new CK_ATTRIBUTE(PKCS11Constants.CKA_ID, name.id())
          };
          module.C_FindObjectsInit(session, wanted);
          long[] found = module.C_FindObjects(session, 2);
          module.C_FindObjectsFinal(session);
          assertThat(found).hasSize(1);
          CK_ATTRIBUTE[] template = {new CK_ATTRIBUTE(type)};
          try {
            module.C_GetAttributeValue(session, found[0], template);
            return Optional.of(template[0].getBoolean());
          } catch (PKCS11Exception e) {
            return Optional.empty();
          }
        });
  }

  /// The flags of any visible object: 1, 0, or - if the token does not report the flag.
  String flags(long handle, long... types) throws Exception {
    return inSession(
        session -> {
          StringJoiner reported = new StringJoiner(" ");
          for (long type : types) {
            CK_ATTRIBUTE[] template = {new CK_ATTRIBUTE(type)};
            try {
              module.C_GetAttributeValue(session, handle, template);
              reported.add(template[0].getBoolean() ? "1" : "0");
            } catch (PKCS11Exception e) {
              reported.add("-");
            }
          }
          return reported.toString();
        });
  }

  /// Encrypts with AES under a key. Returns `works`, or the return code without its prefix `CKR_`.
  String encrypt(long handle) throws Exception {
    return inSession(
        session -> {
          try {
            var mechanism = new CK_MECHANISM(PKCS11Constants.CKM_AES_ECB);
            module.C_EncryptInit(session, mechanism, handle);
            return "works";
          } catch (PKCS11Exception e) {
            return Ckr.name(e.getErrorCode()).replace("CKR_", "");
          }
        });
  }

  /// The attributes of any visible object.
  KeyAttributes attributes(long handle) throws Exception {
    return inSession(
        session ->
            new KeyAttributes(
                flag(session, handle, PKCS11Constants.CKA_SENSITIVE),
                flag(session, handle, PKCS11Constants.CKA_EXTRACTABLE),
                flag(session, handle, PKCS11Constants.CKA_SIGN),
                flag(session, handle, PKCS11Constants.CKA_ALWAYS_SENSITIVE),
                flag(session, handle, PKCS11Constants.CKA_NEVER_EXTRACTABLE),
                flag(session, handle, PKCS11Constants.CKA_LOCAL),
                null));
  }

  private boolean flag(long session, long handle, long type) throws Exception {
    CK_ATTRIBUTE[] template = {new CK_ATTRIBUTE(type)};
    module.C_GetAttributeValue(session, handle, template);
    return template[0].getBoolean();
  }
}
