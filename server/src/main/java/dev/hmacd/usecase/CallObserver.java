package dev.hmacd.usecase;

/// Observer of all calls of all edges. The methods run on event loops, and on threads of timers,
/// the health check and the shutdown. Implementations must return quickly and must not throw.
///
/// For each call, [#began], [#concluded] and [#ended] run once each, in this order.
public interface CallObserver {
  /// An observer that does nothing.
  CallObserver NONE = new CallObserver() {};

  /// Reports the start of a call. The principal and the key of the call are not known yet.
  default void began(Call call) {}

  /// Reports the outcome of a call. At this time, the transport has no byte of the answer. A record
  /// that must precede the answer, such as an audit record, must be written in this method.
  default void concluded(Call call, Outcome outcome) {}

  /// Reports the end of a call: the answer was handed to the transport, or there is no answer.
  ///
  /// @param outcome the outcome of [#concluded], or [Outcome#NOT_SENT]
  /// @param nanos duration of the call in nanoseconds
  default void ended(Call call, Outcome outcome, long nanos) {}
}
