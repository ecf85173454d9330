package dev.hmacd.usecase;

/// Observer of all calls, over all edges. It is called on event loops, lanes and the registry's
/// thread, must return quickly and must not throw.
///
/// A call that begins has exactly one outcome: [#began], [#concluded] and [#ended] are each called
/// once, in this order.
public interface CallObserver {
  /// An observer that does nothing.
  CallObserver NONE = new CallObserver() {};

  /// A call has begun. Its principal and key are not known yet.
  default void began(Call call) {}

  /// A call has its outcome. No byte of the answer has been handed to the transport: a record that
  /// must precede the release of the answer is written here.
  default void concluded(Call call, Outcome outcome) {}

  /// A call has ended: its answer was handed to the transport, or it has none.
  ///
  /// @param outcome that of [#concluded]; another if the transport did not take the answer
  /// @param nanos duration of the call
  default void ended(Call call, Outcome outcome, long nanos) {}
}
