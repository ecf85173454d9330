package dev.hmacd.token;

import static java.nio.charset.StandardCharsets.UTF_8;

import dev.hmacd.key.KeyAttributes;
import dev.hmacd.key.KeyObject;
import dev.hmacd.testing.ContractToken;
import java.util.ArrayList;
import java.util.List;
import sun.security.pkcs11.wrapper.CK_ATTRIBUTE;
import sun.security.pkcs11.wrapper.CK_MECHANISM;
import sun.security.pkcs11.wrapper.PKCS11;
import sun.security.pkcs11.wrapper.PKCS11Constants;
import sun.security.pkcs11.wrapper.PKCS11Exception;

/// A module as another user of it in this process would have it: what it does, all sessions see.
final class RawModule {
  private final PKCS11 module;
  private final long slot;

  /// @param token whose module is initialised
  RawModule(ContractToken token) throws Exception {
    module = PKCS11.getInstance(token.module().toString(), "C_GetFunctionList", null, false);
    long found = -1;
    for (long each : module.C_GetSlotList(true)) {
      if (new String(module.C_GetTokenInfo(each).label).strip().equals(token.label())) {
        found = each;
      }
    }
    slot = found;
  }

  /// What can be done in a session.
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

  /// What comes of a use of a handle: `works`, or what the module answers, without the prefix that
  /// all codes have.
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

  /// Puts a known key on the token, as a key ceremony does: with these attributes of usage and
  /// protection.
  void create(KeyObject name, byte[] key, boolean sensitive, boolean extractable, boolean sign)
      throws Exception {
    List<CK_ATTRIBUTE> template = new ArrayList<>();
    template.add(new CK_ATTRIBUTE(PKCS11Constants.CKA_CLASS, PKCS11Constants.CKO_SECRET_KEY));
    template.add(
        new CK_ATTRIBUTE(PKCS11Constants.CKA_KEY_TYPE, PKCS11Constants.CKK_GENERIC_SECRET));
    template.add(new CK_ATTRIBUTE(PKCS11Constants.CKA_TOKEN, true));
    template.add(new CK_ATTRIBUTE(PKCS11Constants.CKA_PRIVATE, true));
    template.add(new CK_ATTRIBUTE(PKCS11Constants.CKA_SENSITIVE, sensitive));
    template.add(new CK_ATTRIBUTE(PKCS11Constants.CKA_EXTRACTABLE, extractable));
    template.add(new CK_ATTRIBUTE(PKCS11Constants.CKA_SIGN, sign));
    template.add(new CK_ATTRIBUTE(PKCS11Constants.CKA_VERIFY, true));
    template.add(new CK_ATTRIBUTE(PKCS11Constants.CKA_LABEL, name.label().getBytes(UTF_8)));
    template.add(new CK_ATTRIBUTE(PKCS11Constants.CKA_VALUE, key));
    if (!name.idHex().isEmpty()) {
      template.add(new CK_ATTRIBUTE(PKCS11Constants.CKA_ID, name.id()));
    }
    var _ =
        inSession(session -> module.C_CreateObject(session, template.toArray(CK_ATTRIBUTE[]::new)));
  }

  /// What the token says of any object that the process can see.
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
