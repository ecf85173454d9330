package dev.hmacd.token;

/// What tokens differ in, or could: a row each of the table in `hsm-config/README.md`.
enum Behaviour {
  SHA_224("HMAC SHA-224"),
  SHA_256("HMAC SHA-256"),
  SHA_384("HMAC SHA-384"),
  SHA_512("HMAC SHA-512"),
  IMPORTED("known key, imported: MACs are the JDK's"),
  GENERATED("generated key: sensitive, extractable, always sensitive, never extractable, local"),
  IMPORTED_ATTRIBUTES("imported key: the same"),
  NOT_SENSITIVE("key imported as not sensitive"),
  COPY("copy in a session: the same"),
  NO_ID("key without CKA_ID: the id that is read"),
  TWICE("a second key with the same label and id"),
  LONGER_KEY("imported key of 131 bytes: CKA_VALUE_LEN"),
  OTHER_PROCESS("key that pkcs11-tool imports in another process"),
  EXTRACTION("a key that is not extractable: wrapped under an AES key"),
  CHECKED_WRAPPING("mechanisms that wrap extractable keys"),
  DESTROYED("token object that was destroyed, used"),
  DESTROYED_COPY("its copy, used"),
  DEAD_HANDLE("handle that never was, used"),
  CLOSED_SESSION("closed session, used"),
  LOGGED_OUT("key after a logout, used"),
  LOGGED_OUT_COPY("its copy, used"),
  SESSIONS("64 sessions at once");

  private final String title;

  Behaviour(String title) {
    this.title = title;
  }

  String title() {
    return title;
  }
}
