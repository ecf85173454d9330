package dev.hmacd.token;

/// Listener for the faults of a token from which a lane could not recover. Called on the lane's
/// thread, which holds no lock. Implementations must return quickly and must not throw.
@FunctionalInterface
public interface FaultListener {
  FaultListener NONE = _ -> {};

  /// Reports that an operation failed: the lane could not recover from the fault, or the token
  /// refused the operation.
  ///
  /// @param e a fault of the token, or a refusal of the operation
  void failed(TokenException e);
}
