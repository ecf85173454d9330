package dev.hmacd.usecase;

/// The interface through which a call arrived.
public enum Edge {
  GRPC,
  AWS_KMS,
  /// A call that the daemon makes itself, such as that of `hmacd dev` for its first access key.
  DAEMON
}
