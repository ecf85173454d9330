package dev.hmacd.usecase;

/// The interface through which a call arrived.
public enum Edge {
  GRPC,
  AWS_KMS,
  /// No client: the daemon itself makes the call, for example to create the access key of `hmacd
  /// dev`.
  DAEMON
}
