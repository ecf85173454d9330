package dev.hmacd.usecase;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Logs the cause of each unexpected failure. The caller gets no details of the cause.
public final class UnforeseenFailureLog implements CallObserver {
  private static final Logger log = LoggerFactory.getLogger(UnforeseenFailureLog.class);

  @Override
  public void concluded(Call call, Outcome outcome) {
    if (outcome instanceof Outcome.Failed(Failure.Unforeseen(var cause))) {
      log.atError()
          .addKeyValue("method", call.method().name())
          .addKeyValue("request_id", call.requestId())
          .setCause(cause)
          .log("Call failed with an unexpected exception");
    }
  }
}
