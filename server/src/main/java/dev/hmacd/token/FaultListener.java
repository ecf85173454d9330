package dev.hmacd.token;

/// Listener for the faults of a token from which a lane could not recover. Called on the lane's
/// thread, under no lock. Must return quickly and must not throw.
@FunctionalInterface
public interface FaultListener {
  FaultListener NONE = _ -> {};

  /// An operation failed after the recovery of its lane.
  ///
  /// @param e may be no fault of the token, but a refusal of the operation
  void failed(TokenException e);
}
