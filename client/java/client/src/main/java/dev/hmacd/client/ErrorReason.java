package dev.hmacd.client;

/// Why a call failed. Branch on the reason: status codes and texts may become more exact, but a
/// reason never changes its meaning.
///
/// The contract of the daemon defines its reasons (`hmacd.v1.ErrorReason`). The last reasons, whose
/// description begins with "From this client", are from this library.
public enum ErrorReason {
  /// The connection has no valid client identity. Get a certificate that names a principal;
  /// reconnect.
  UNAUTHENTICATED,
  /// No rule allows the caller this action on this key. A key that does not exist gives the same
  /// error. Metadata: `action`, `principal`.
  ACCESS_DENIED,

  /// A field breaks a rule of the contract. Metadata: `field`, `rule`.
  INVALID_FIELD,
  /// The request sets a field that this daemon does not know. Use a newer daemon.
  UNKNOWN_FIELD,
  /// The request sets grant tokens, which this daemon does not serve yet.
  GRANT_TOKENS_NOT_SUPPORTED,
  /// The request sets a key version, which this daemon does not serve yet.
  KEY_VERSION_NOT_SUPPORTED,
  /// The request or the answer was damaged in transit, at the first and at the second attempt. From
  /// this client, too: a CRC32C of the answer does not match, or the daemon did not check a CRC32C
  /// of the request. Metadata of the daemon: `field`.
  CHECKSUM_MISMATCH,
  /// The page token is not from this method. Start at the first page. From this client, too: the
  /// daemon repeated a page token.
  INVALID_PAGE_TOKEN,

  /// The key name is malformed or of another region or account, or is an alias although the method
  /// accepts none. Metadata: `field`.
  INVALID_KEY_ID,
  /// There is no such key. Metadata: `key_id`.
  KEY_NOT_FOUND,
  /// There is no such alias. Metadata: `alias_name`.
  ALIAS_NOT_FOUND,
  /// An alias with this name already exists. Metadata: `alias_name`.
  ALIAS_ALREADY_EXISTS,
  /// A quota is reached. Metadata: `limit`, `maximum`.
  LIMIT_EXCEEDED,

  /// The key is not pending deletion. Metadata: `key_id`, `key_state`.
  KEY_NOT_PENDING_DELETION,
  /// A tag is not valid, or the tags are not valid together. Metadata: `rule`.
  INVALID_TAG,
  /// There is no such access key. Metadata: `access_key_id`.
  ACCESS_KEY_NOT_FOUND,

  /// The state of the key does not allow the action. Metadata: `key_id`, `key_state`.
  KEY_NOT_USABLE,
  /// The algorithm is not the one of the key's spec. Metadata: `key_spec`, `mac_algorithm`.
  INVALID_KEY_USAGE,
  /// The MAC does not match the message under this key. Do not trust the message.
  KMS_INVALID_MAC,
  /// The request would have succeeded, but was a dry run.
  DRY_RUN_OPERATION,

  /// The message starts with the prefix that is reserved for the check values of keys.
  RESERVED_MESSAGE,

  /// No secret key on the token has this label or id.
  TOKEN_OBJECT_NOT_FOUND,
  /// Several secret keys on the token match, or tokens have different keys under the same label and
  /// id.
  TOKEN_OBJECT_AMBIGUOUS,
  /// The object's attributes do not permit MACs. Metadata: `attribute`, `rule`, `found`.
  TOKEN_OBJECT_UNFIT,
  /// The object already belongs to a key in the registry.
  TOKEN_OBJECT_TAKEN,
  /// The label is reserved for the daemon's own keys.
  TOKEN_OBJECT_RESERVED,
  /// The token has no mechanism for the key spec. Metadata: `key_spec`.
  MECHANISM_NOT_SUPPORTED,

  /// The message is longer than the daemon or the token allows. Metadata: `maximum` and `given`, in
  /// bytes. From this client, without metadata, if the message is longer than the limit of the
  /// client.
  MESSAGE_TOO_LONG,
  /// The request is longer than the daemon allows. Metadata: `maximum`, in bytes.
  REQUEST_TOO_LONG,
  /// The memory for partially received requests is full, or the caller's principal has its maximum
  /// of it, or no memory is left for the answer. If no memory was left for the answer, the daemon
  /// may have made the change: check before you send a change again.
  MEMORY_BUSY,
  /// The daemon does not have this method. Use a newer daemon.
  METHOD_NOT_FOUND,
  /// The health service knows no service with this name.
  SERVICE_NOT_FOUND,

  /// The queue of the token is full, also with operations of the caller or of clients of its
  /// authority, or too many calls wait for check values of keys. Send fewer requests.
  TOKEN_BUSY,
  /// The queue of the registry is full, or the caller's principal has its maximum number of
  /// registry calls in flight, or it has named too many keys that do not exist or that it may not
  /// use. Send fewer requests.
  REGISTRY_BUSY,
  /// The deadline of the daemon or of this client passed before the answer.
  DEADLINE_EXCEEDED,
  /// No token for the call is usable now: the token fails, or its answers are wrong.
  TOKEN_UNAVAILABLE,
  /// The key's object is missing on the token, or has changed. Metadata: `key_id`.
  KEY_UNAVAILABLE,
  /// The registry cannot be read or written now.
  REGISTRY_UNAVAILABLE,
  /// The daemon is stopping. Use another daemon.
  STOPPING,
  /// An unexpected error of the daemon. The daemon's log has its stack trace.
  INTERNAL,

  /// From this client: no daemon could be reached, the connection broke before the answer, or the
  /// server is not a daemon. For example, the target is the port of AWS KMS or of metrics.
  CONNECTION_FAILED,
  /// From this client: the TLS handshake failed ([TlsFailedException#fault]).
  TLS_FAILED,
  /// From this client: the client is closed, or was closed during the call.
  CLOSED,
  /// From this client: an argument is not valid, such as an empty message.
  INVALID_ARGUMENT,
  /// From this client: the daemon ignored `dry_run`, and executed the request.
  DRY_RUN_IGNORED,
  /// From this client: the calling thread was interrupted, or the call was cancelled.
  CANCELLED,
  /// A reason of a newer daemon, an error without a reason, or an unexpected exception in this
  /// client. The text and the cause have more information.
  UNKNOWN;

  /// Whether only this client has the reason. The contract of the daemon does not define it.
  boolean isLocal() {
    return switch (this) {
      case CONNECTION_FAILED,
          TLS_FAILED,
          CLOSED,
          INVALID_ARGUMENT,
          DRY_RUN_IGNORED,
          CANCELLED,
          UNKNOWN ->
          true;
      default -> false;
    };
  }
}
