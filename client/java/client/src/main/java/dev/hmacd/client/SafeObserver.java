package dev.hmacd.client;

import com.google.errorprone.annotations.ThreadSafe;

/// Logs the exceptions of another observer, which runs code of the application. So they do not
/// change the outcome of a call.
@ThreadSafe
record SafeObserver(CallObserver observer) implements CallObserver {
  private static final System.Logger LOG = System.getLogger(SafeObserver.class.getName());

  @Override
  public Observation start(String method) {
    try {
      Observation observation = observer.start(method);
      return (facts, errorType) -> end(observation, facts, errorType);
    } catch (RuntimeException | LinkageError e) {
      log(e);
      return NONE.start(method);
    }
  }

  private static void end(Observation observation, CallFacts facts, String errorType) {
    try {
      observation.end(facts, errorType);
    } catch (RuntimeException | LinkageError e) {
      log(e);
    }
  }

  private static void log(Throwable failure) {
    LOG.log(System.Logger.Level.WARNING, "Telemetry of a call failed", failure);
  }
}
