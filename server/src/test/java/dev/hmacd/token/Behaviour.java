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
  GENERATED_USES("generated key: encrypt, decrypt, wrap, unwrap, derive, modifiable"),
  COPY_USES("copy in a session: the same"),
  WITH_PRIVATE("imported with CKA_PRIVATE true, false, not given"),
  WITH_SENSITIVE("imported with CKA_SENSITIVE true, false, not given"),
  WITH_EXTRACTABLE("imported with CKA_EXTRACTABLE true, false, not given"),
  WITH_SIGN("imported with CKA_SIGN true, false, not given"),
  WITH_DERIVE("imported with CKA_DERIVE true, false, not given"),
  WITH_ENCRYPT("imported with CKA_ENCRYPT true, false, not given"),
  WITH_DECRYPT("imported with CKA_DECRYPT true, false, not given"),
  WITH_WRAP("imported with CKA_WRAP true, false, not given"),
  WITH_UNWRAP("imported with CKA_UNWRAP true, false, not given"),
  AES_USE("AES encryption under an HMAC key with CKA_ENCRYPT true"),
  REPLACED("key in use without a copy, another key put in its place: the next MAC"),
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
  SESSIONS("64 sessions at once"),
  AWAY_OBJECT("storage away: a token object, used"),
  AWAY_COPY("its copy, used"),
  AWAY_SEARCH("a search for its key"),
  AWAY_NEW("a new key"),
  BACK_SEARCH("storage back: a search for its key"),
  BACK_INITIALISED("the key, after C_Finalize and C_Initialize"),
  AWAY_NEW_INITIALISED("the new key, after the same"),
  OLDER_SEARCH("older copy in its place: a search for a key that it lacks"),
  OLDER_INITIALISED("the same, after C_Finalize and C_Initialize"),
  // By scripts/storage.sh, with a daemon.
  DAEMON_AWAY("daemon: the storage is away"),
  DAEMON_EMPTY("daemon: an empty token is in its place"),
  DAEMON_OLDER("daemon: an older copy is in its place"),
  DAEMON_LOST("daemon with exit_when_lost: the storage is away"),
  DAEMON_DESTROYED("the same: another program destroys the health check's key"),
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
