package dev.hmacd.client;

/// Why TLS with a daemon failed ([TlsFailedException]).
public enum TlsFault {
  /// The client does not trust the certificate of the daemon. For example, another certificate
  /// authority has issued it.
  DAEMON_NOT_TRUSTED,
  /// The certificate of the daemon has expired or is not valid yet, or the clock of this machine is
  /// wrong.
  DAEMON_CERTIFICATE_NOT_VALID,
  /// The certificate of the daemon does not have the name of the target.
  DAEMON_NAME_MISMATCH,
  /// The daemon refused the certificate of this client in the TLS handshake. The daemon does not
  /// trust the certificate's authority, or the certificate has expired.
  CLIENT_CERTIFICATE_REFUSED,
  /// The server does not speak TLS. For example, the target is the port of AWS KMS or of metrics.
  NO_TLS
}
