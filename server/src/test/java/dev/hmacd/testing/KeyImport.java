package dev.hmacd.testing;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.util.HexFormat;
import sun.security.pkcs11.wrapper.CK_ATTRIBUTE;
import sun.security.pkcs11.wrapper.PKCS11;
import sun.security.pkcs11.wrapper.PKCS11Constants;
import sun.security.pkcs11.wrapper.PKCS11Exception;

/// Imports and destroys many keys of a token with one login, in a process of its own. A process of
/// `pkcs11-tool` for each key takes much longer.
final class KeyImport {
  private static final long CKU_USER = 1;

  private KeyImport() {}

  /// Reads the standard input. A line with a label, a blank and a value in hex imports a key. A
  /// line with a label only destroys the key.
  ///
  /// @param args the module, the label of the token, and the user PIN
  public static void main(String... args) throws IOException, PKCS11Exception {
    PKCS11 module = PKCS11.getInstance(args[0], "C_GetFunctionList", null, false);
    long session =
        module.C_OpenSession(
            slot(module, args[1]),
            PKCS11Constants.CKF_SERIAL_SESSION | PKCS11Constants.CKF_RW_SESSION,
            null,
            null);
    module.C_Login(session, CKU_USER, args[2].toCharArray());
    var lines = new BufferedReader(new InputStreamReader(System.in, UTF_8));
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      String[] key = line.split(" ", 2);
      if (key.length == 2) {
        create(module, session, key[0], HexFormat.of().parseHex(key[1]));
      } else {
        destroy(module, session, key[0]);
      }
    }
  }

  private static void create(PKCS11 module, long session, String label, byte[] value)
      throws PKCS11Exception {
    CK_ATTRIBUTE[] template = {
      new CK_ATTRIBUTE(PKCS11Constants.CKA_CLASS, PKCS11Constants.CKO_SECRET_KEY),
      new CK_ATTRIBUTE(PKCS11Constants.CKA_KEY_TYPE, PKCS11Constants.CKK_GENERIC_SECRET),
      new CK_ATTRIBUTE(PKCS11Constants.CKA_TOKEN, true),
      new CK_ATTRIBUTE(PKCS11Constants.CKA_PRIVATE, true),
      new CK_ATTRIBUTE(PKCS11Constants.CKA_SENSITIVE, true),
      new CK_ATTRIBUTE(PKCS11Constants.CKA_EXTRACTABLE, false),
      new CK_ATTRIBUTE(PKCS11Constants.CKA_SIGN, true),
      new CK_ATTRIBUTE(PKCS11Constants.CKA_VERIFY, true),
      new CK_ATTRIBUTE(PKCS11Constants.CKA_LABEL, label.getBytes(UTF_8)),
      new CK_ATTRIBUTE(PKCS11Constants.CKA_VALUE, value)
    };
    long _ = module.C_CreateObject(session, template);
  }

  private static void destroy(PKCS11 module, long session, String label) throws PKCS11Exception {
    CK_ATTRIBUTE[] wanted = {
      new CK_ATTRIBUTE(PKCS11Constants.CKA_CLASS, PKCS11Constants.CKO_SECRET_KEY),
      new CK_ATTRIBUTE(PKCS11Constants.CKA_TOKEN, true),
      new CK_ATTRIBUTE(PKCS11Constants.CKA_LABEL, label.getBytes(UTF_8))
    };
    module.C_FindObjectsInit(session, wanted);
    long[] found = module.C_FindObjects(session, 2);
    module.C_FindObjectsFinal(session);
    for (long each : found) {
      module.C_DestroyObject(session, each);
    }
  }

  private static long slot(PKCS11 module, String label) throws PKCS11Exception {
    for (long each : module.C_GetSlotList(true)) {
      if (new String(module.C_GetTokenInfo(each).label).strip().equals(label)) {
        return each;
      }
    }
    throw new IllegalArgumentException("no token has the label " + label);
  }
}
