package dev.hmacd.token;

/// Listener for the faults of a token from which a lane could not recover. Called on the lane's
/// thread, under no lock. Must return quickly and must not throw.
@FunctionalInterface
public interface FaultListener {
  FaultListener NONE = _ -> {};

  /// An operation failed after the recovery of its lane.
  ///
  /// @param e a fault of the token, or a refusal of the operation
  void failed(TokenException e);
}
