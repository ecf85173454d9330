package dev.hmacd.usecase;

import com.google.errorprone.annotations.Immutable;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// Creates a [Call] for each request of all edges. A step that precedes the use case of every call,
/// such as a quota, belongs in this class.
@Immutable
@SuppressWarnings("Immutable") // Observers are thread-safe.
public final class CallPipeline {
  /// Length of a `traceparent` of version 00 (W3C Trace Context).
  private static final int TRACE_PARENT_CHARS = 55;

  private final CallObserver observer;

  /// @param observers the observers, called in this order
  public CallPipeline(List<CallObserver> observers) {
    this.observer = observers.size() == 1 ? observers.getFirst() : new Observers(observers);
  }

  /// Creates the call of a request that has arrived.
  ///
  /// @param traceParent the trace context in the request, not validated; null if the request has no
  ///   trace context
  /// @param deadlineNanos the deadline of the call, a value of [System#nanoTime]
  public Call begin(Edge edge, Method method, @Nullable String traceParent, long deadlineNanos) {
    var call = new Call(observer, edge, method, valid(traceParent), deadlineNanos);
    observer.began(call);
    return call;
  }

  /// Validates a trace context of version 00. Returns null for an invalid trace context, which must
  /// be ignored (W3C Trace Context, 3.2).
  private static @Nullable String valid(@Nullable String traceParent) {
    if (traceParent == null || traceParent.length() != TRACE_PARENT_CHARS) {
      return null;
    }
    for (int i = 0; i < TRACE_PARENT_CHARS; i++) {
      char c = traceParent.charAt(i);
      boolean isDash = i == 2 || i == 35 || i == 52;
      boolean isHex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
      if (isDash ? c != '-' : !isHex) {
        return null;
      }
    }
    return traceParent.startsWith("00") ? traceParent : null;
  }

  private record Observers(List<CallObserver> all) implements CallObserver {
    Observers {
      all = List.copyOf(all);
    }

    @Override
    public void began(Call call) {
      for (CallObserver each : all) {
        each.began(call);
      }
    }

    @Override
    public void concluded(Call call, Outcome outcome) {
      for (CallObserver each : all) {
        each.concluded(call, outcome);
      }
    }

    @Override
    public void ended(Call call, Outcome outcome, long nanos) {
      for (CallObserver each : all) {
        each.ended(call, outcome, nanos);
      }
    }
  }
}
