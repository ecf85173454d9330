package dev.hmacd.token;

/// Behaviours that can differ between tokens. Each is a row of the table in `hsm-config/README.md`.
enum Behaviour {
  SHA_224("HMAC SHA-224"),
  SHA_256("HMAC SHA-256"),
  SHA_384("HMAC SHA-384"),
  SHA_512("HMAC SHA-512"),
  IMPORTED("known key, imported: MACs are the JDK's"),
  GENERATED("generated key: sensitive, extractable, always sensitive, never extractable, local"),
  IMPORTED_ATTRIBUTES("imported key: the same attributes"),
  NOT_SENSITIVE("key imported as not sensitive"),
  COPY("session copy: the same attributes"),
  GENERATED_USES("generated key: encrypt, decrypt, wrap, unwrap, derive, modifiable"),
  COPY_USES("session copy: the same attributes"),
  WITH_PRIVATE("imported with CKA_PRIVATE true, false, omitted"),
  WITH_SENSITIVE("imported with CKA_SENSITIVE true, false, omitted"),
  WITH_EXTRACTABLE("imported with CKA_EXTRACTABLE true, false, omitted"),
  WITH_SIGN("imported with CKA_SIGN true, false, omitted"),
  WITH_DERIVE("imported with CKA_DERIVE true, false, omitted"),
  WITH_ENCRYPT("imported with CKA_ENCRYPT true, false, omitted"),
  WITH_DECRYPT("imported with CKA_DECRYPT true, false, omitted"),
  WITH_WRAP("imported with CKA_WRAP true, false, omitted"),
  WITH_UNWRAP("imported with CKA_UNWRAP true, false, omitted"),
  AES_USE("AES encryption under an HMAC key with CKA_ENCRYPT true"),
  REPLACED("key in use without a session copy, replaced by another key: the next MAC"),
  NO_ID("key without CKA_ID: the id as read"),
  TWICE("a second key with the same label and id"),
  LONGER_KEY("imported key of 131 bytes: CKA_VALUE_LEN"),
  OTHER_PROCESS("key that pkcs11-tool imports in another process"),
  EXTRACTION("a key that is not extractable: wrapped under an AES key"),
  CHECKED_WRAPPING("mechanisms that wrap extractable keys"),
  DESTROYED("use of a destroyed token object"),
  DESTROYED_COPY("use of its session copy"),
  DEAD_HANDLE("use of an unknown handle"),
  CLOSED_SESSION("use of a closed session"),
  LOGGED_OUT("use of a key after a logout"),
  LOGGED_OUT_COPY("use of its session copy"),
  SESSIONS("64 concurrent sessions"),
  AWAY_OBJECT("storage removed: use of a token object"),
  AWAY_COPY("use of its session copy"),
  AWAY_SEARCH("search for its key"),
  AWAY_NEW("generation of a key"),
  BACK_SEARCH("storage restored: search for its key"),
  BACK_INITIALISED("use of the key after C_Finalize and C_Initialize"),
  AWAY_NEW_INITIALISED("search for the new key after C_Finalize and C_Initialize"),
  OLDER_SEARCH("storage replaced by an older copy: search for a newer key"),
  OLDER_INITIALISED("the same search after C_Finalize and C_Initialize"),
  // scripts/storage.sh notes these, with a daemon.
  DAEMON_AWAY("daemon: storage removed"),
  DAEMON_EMPTY("daemon: storage replaced by an empty token"),
  DAEMON_OLDER("daemon: storage replaced by an older copy"),
  DAEMON_LOST("daemon with exit_when_lost: storage removed"),
  DAEMON_DESTROYED("daemon with exit_when_lost: another program destroys the health check's key"),
  DAEMON_START_AWAY("daemon started without the storage"),
  DAEMON_START_EMPTY("daemon started on an empty token"),
  DAEMON_START_OLDER("daemon started on an older copy");

  private final String title;

  Behaviour(String title) {
    this.title = title;
  }

  String title() {
    return title;
  }
}
