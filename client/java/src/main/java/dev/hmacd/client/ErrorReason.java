package dev.hmacd.client;

/// Why a call failed. Branch on it: status codes and texts may grow more exact, reasons never
/// change their meaning.
///
/// All but the last five are the reasons of the contract (`hmacd.v1.ErrorReason`), sent by the
/// daemon.
public enum ErrorReason {
  /// No principal could be told from the connection. Get a certificate that names one; reconnect.
  UNAUTHENTICATED,
  /// No rule allows the caller this action on this key; also the answer for keys that do not exist.
  /// Metadata: `action`, `principal`.
  ACCESS_DENIED,

  /// A field breaks a rule of the contract. Metadata: `field`, `rule`.
  INVALID_FIELD,
  /// The request sets a field that this daemon does not know. Use a newer daemon.
  UNKNOWN_FIELD,
  /// The request sets grant tokens, which this daemon does not serve yet.
  GRANT_TOKENS_NOT_SUPPORTED,
  /// The request sets a key version, which this daemon does not serve yet.
  KEY_VERSION_NOT_SUPPORTED,
  /// The request was damaged on its way, also when it was sent again. Metadata: `field`.
  CHECKSUM_MISMATCH,
  /// The page token is none that this method gave. Start at the first page.
  INVALID_PAGE_TOKEN,

  /// The name of the key is none of this daemon's, or an alias where none is taken. Metadata:
  /// `field`.
  INVALID_KEY_ID,
  /// There is no such key. Metadata: `key_id`.
  KEY_NOT_FOUND,
  /// There is no such alias. Metadata: `alias_name`.
  ALIAS_NOT_FOUND,
  /// An alias of that name exists. Metadata: `alias_name`.
  ALIAS_ALREADY_EXISTS,
  /// A quota is reached. Metadata: `limit`, `maximum`.
  LIMIT_EXCEEDED,

  /// The key does not wait for its deletion. Metadata: `key_id`, `key_state`.
  KEY_NOT_PENDING_DELETION,
  /// The tags cannot be put on a key together. Metadata: `rule`.
  INVALID_TAG,
  /// There is no such access key. Metadata: `access_key_id`.
  ACCESS_KEY_NOT_FOUND,

  /// The state of the key does not allow it. Metadata: `key_id`, `key_state`.
  KEY_NOT_USABLE,
  /// The algorithm is not the one of the key's spec. Metadata: `key_spec`, `mac_algorithm`.
  INVALID_KEY_USAGE,
  /// The MAC is not that of the message under this key. Do not trust the message.
  KMS_INVALID_MAC,
  /// The request would have succeeded, but was a dry run.
  DRY_RUN_OPERATION,

  /// No secret key on the token has that label or id.
  TOKEN_OBJECT_NOT_FOUND,
  /// More than one secret key on the token fits.
  TOKEN_OBJECT_AMBIGUOUS,
  /// The object's attributes do not make it fit to be a key. Metadata: `attribute`, `rule`.
  TOKEN_OBJECT_UNFIT,
  /// The object backs a key already.
  TOKEN_OBJECT_TAKEN,
  /// The label is reserved for the daemon's own keys.
  TOKEN_OBJECT_RESERVED,
  /// The token has no mechanism for it. Metadata: `key_spec`.
  MECHANISM_NOT_SUPPORTED,

  /// The request is longer in bytes than the daemon takes. Metadata: `maximum`.
  REQUEST_TOO_LONG,
  /// Requests that have come in part fill the daemon's memory for such.
  MEMORY_BUSY,
  /// There is no such method. Use a newer daemon.
  METHOD_NOT_FOUND,
  /// The health service knows no service of that name.
  SERVICE_NOT_FOUND,

  /// The queue to the token is full. Slow down.
  TOKEN_BUSY,
  /// The registry's queue is full. Slow down.
  REGISTRY_BUSY,
  /// The deadline passed before the answer was there: the daemon's, or the one that this client
  /// set.
  DEADLINE_EXCEEDED,
  /// The token does not answer as it should.
  TOKEN_UNAVAILABLE,
  /// The key's object is missing on the token or is not what it was. Metadata: `key_id`.
  KEY_UNAVAILABLE,
  /// The registry cannot be read or written now.
  REGISTRY_UNAVAILABLE,
  /// The daemon is stopping. Ask another one.
  STOPPING,
  /// A fault of the daemon's that nobody foresaw; it is in the daemon's log.
  INTERNAL,

  /// From this client: no daemon could be reached, or the connection broke before the answer.
  UNREACHABLE,
  /// From this client: the answer was damaged on its way (a CRC32C does not fit, or the daemon did
  /// not check one that was sent), also when asked again.
  ANSWER_DAMAGED,
  /// From this client: the daemon did not honour `dry_run` and carried the request out.
  DRY_RUN_IGNORED,
  /// From this client: the calling thread was interrupted, or the call was cancelled.
  CANCELLED,
  /// A reason that a newer daemon has, or an error without one; the status code says more.
  UNKNOWN
}
