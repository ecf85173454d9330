package dev.hmacd.mac;

/// Is told of every call that ended. Called on event loops, lanes and the registry's thread; must
/// be quick and must not throw.
public interface CallObserver {
  /// A call has ended.
  ///
  /// @param method e.g. `GenerateMac`
  /// @param reason the reason of the error, or `OK`
  void ended(String method, String reason, long nanos);
}
