package dev.hmacd.ctl;

import dev.hmacd.client.ErrorReason;
import dev.hmacd.client.HmacdException;
import dev.hmacd.client.TlsFailedException;
import dev.hmacd.client.TlsFault;

/// The exit code and the hint for an error. A local fault ends with 2, a fault of an identity with
/// 3.
///
/// @param hint what the user can do about the error
record Advice(ExitCode exitCode, String hint) {
  static final String SHORTER_MESSAGE =
      "Send a shorter message, or the MAC of a hash of the message.";

  static Advice on(HmacdException failure) {
    return failure instanceof TlsFailedException tls ? on(tls.fault()) : on(failure.reason());
  }

  private static Advice on(TlsFault fault) {
    return switch (fault) {
      case DAEMON_NOT_TRUSTED ->
          denied("Use the certificate of the authority of the daemon (--ca).");
      case DAEMON_CERTIFICATE_NOT_VALID ->
          denied(
              "Ask an operator to renew the daemon's certificate. Check the clock of this"
                  + " machine.");
      case DAEMON_NAME_MISMATCH -> denied("Use a name of the daemon's certificate in --target.");
      case CLIENT_CERTIFICATE_REFUSED ->
          denied(
              "Use a client certificate (--cert, --key) that has not expired, and whose authority"
                  + " is in the daemon's grpc.tls.client_ca.");
      case NO_TLS ->
          unavailable(
              "Use the address of gRPC in --target: grpc.listen in the daemon's configuration.");
    };
  }

  // No default branch: a new reason does not compile until it has a hint.
  static Advice on(ErrorReason reason) {
    return switch (reason) {
      case UNAUTHENTICATED ->
          denied(
              "Use a client certificate (--cert, --key) that is valid and that the daemon trusts.");
      case TLS_FAILED -> denied("Check --ca, --cert, --key and --target.");
      case ACCESS_DENIED ->
          denied("Check the key name, and ask an administrator for a rule that allows the action.");
      case TOKEN_OBJECT_RESERVED ->
          denied("This object belongs to the daemon itself and cannot be adopted.");

      case KEY_NOT_FOUND -> notFound("See 'hmacctl list-keys' and 'hmacctl list-aliases'.");
      case ALIAS_NOT_FOUND -> notFound("See 'hmacctl list-aliases'.");
      case ACCESS_KEY_NOT_FOUND -> notFound("See 'hmacctl list-access-keys'.");
      case TOKEN_OBJECT_NOT_FOUND ->
          notFound("Find its label (CKA_LABEL) or id (CKA_ID) with the token's own tools.");

      case KMS_INVALID_MAC -> new Advice(ExitCode.MAC_DOES_NOT_MATCH, "Do not trust the message.");
      case DRY_RUN_OPERATION ->
          new Advice(ExitCode.DRY_RUN_OPERATION, "Omit --dry-run to carry the request out.");

      case INVALID_ARGUMENT -> usage("Correct the option that the message names.");
      case MESSAGE_TOO_LONG -> usage(SHORTER_MESSAGE);

      case INVALID_FIELD -> refused("Correct the option that the message names.");
      case REQUEST_TOO_LONG -> refused("Send a shorter request.");
      case METHOD_NOT_FOUND, UNKNOWN_FIELD ->
          refused("The daemon is older than this hmacctl: use a newer daemon.");
      case SERVICE_NOT_FOUND ->
          refused("Use a service of the daemon, such as hmacd.v1.MacService, or omit --service.");
      case GRANT_TOKENS_NOT_SUPPORTED -> refused("Omit --grant-tokens.");
      case KEY_VERSION_NOT_SUPPORTED -> refused("This daemon does not support key versions.");
      case INVALID_PAGE_TOKEN -> refused("Omit --starting-token to start at the first page.");
      case INVALID_KEY_ID ->
          refused("Use a key id or key ARN, or an alias ('alias/...') if the command allows it.");
      case ALIAS_ALREADY_EXISTS ->
          refused("Use 'hmacctl update-alias' to point the alias at another key.");
      case LIMIT_EXCEEDED -> refused("Delete unused aliases or tags of this key.");
      case KEY_NOT_USABLE -> refused("See the key's state with 'hmacctl describe-key'.");
      case KEY_NOT_PENDING_DELETION ->
          refused("The key has no scheduled deletion; see 'hmacctl describe-key'.");
      case INVALID_TAG -> refused("Correct --tags.");
      case INVALID_KEY_USAGE ->
          refused("Use the algorithm that 'hmacctl describe-key' shows for this key.");
      case TOKEN_OBJECT_AMBIGUOUS ->
          refused("Use a label or id that only this object has, or both.");
      case TOKEN_OBJECT_UNFIT ->
          refused(
              "Import the key again, with CKA_PRIVATE, CKA_SENSITIVE and CKA_SIGN true, and"
                  + " CKA_EXTRACTABLE and CKA_DERIVE false.");
      case RESERVED_MESSAGE -> refused("Send another message.");
      case TOKEN_OBJECT_TAKEN ->
          refused("Use the existing key of this object; see 'hmacctl list-keys'.");
      case MECHANISM_NOT_SUPPORTED -> refused("Use another --key-spec.");

      case TOKEN_BUSY, REGISTRY_BUSY, MEMORY_BUSY ->
          unavailable("Try again, with fewer calls at a time.");
      case TOKEN_UNAVAILABLE, REGISTRY_UNAVAILABLE ->
          unavailable("Try again. If the error persists, the daemon's log has the cause.");
      case KEY_UNAVAILABLE ->
          unavailable("The key's object on the token is missing or changed. Inform an operator.");
      case STOPPING -> unavailable("Try again, or use another daemon (--target).");
      case CONNECTION_FAILED ->
          unavailable(
              "Check that the daemon is running, and that --target or --socket is its address of"
                  + " gRPC: grpc.listen or grpc.unix_socket in the daemon's configuration.");
      case CHECKSUM_MISMATCH ->
          unavailable("Try again. If the error persists, the network or a proxy damages data.");
      case DEADLINE_EXCEEDED ->
          new Advice(ExitCode.DEADLINE_EXCEEDED, "Try again, or set a longer --timeout.");

      case INTERNAL -> internal("The daemon's log has the cause.");
      case DRY_RUN_IGNORED ->
          internal("This is a fault of the daemon: do not use --dry-run with this daemon.");
      case CANCELLED, CLOSED -> internal("Try again.");
      case UNKNOWN ->
          internal("The daemon may be newer than this hmacctl, or the server may not be hmacd.");
    };
  }

  private static Advice usage(String hint) {
    return new Advice(ExitCode.USAGE, hint);
  }

  private static Advice denied(String hint) {
    return new Advice(ExitCode.DENIED, hint);
  }

  private static Advice notFound(String hint) {
    return new Advice(ExitCode.NOT_FOUND, hint);
  }

  private static Advice refused(String hint) {
    return new Advice(ExitCode.REFUSED, hint);
  }

  private static Advice unavailable(String hint) {
    return new Advice(ExitCode.UNAVAILABLE, hint);
  }

  private static Advice internal(String hint) {
    return new Advice(ExitCode.INTERNAL, hint);
  }
}
