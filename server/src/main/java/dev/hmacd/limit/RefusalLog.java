package dev.hmacd.limit;

import com.google.errorprone.annotations.ThreadSafe;
import dev.hmacd.log.LogRateLimiter;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Rate-limited log line about refused requests. It names the owner that holds most of the
/// resource, so that an operator finds the client.
@ThreadSafe
public final class RefusalLog {
  private static final Logger log = LoggerFactory.getLogger(RefusalLog.class);

  private final String message;
  private final String heldField;
  private final LogRateLimiter lines = new LogRateLimiter();

  /// @param message the refused requests, and the limit
  /// @param heldField name of the field with the amount that the owner holds
  public RefusalLog(String message, String heldField) {
    this.message = message;
    this.heldField = heldField;
  }

  /// Counts a refused request, and logs it at a limited rate. Must be called without a lock.
  ///
  /// @param quota the quota that counts the requests of each owner
  public void refused(OwnerQuota quota) {
    long times = lines.happened();
    if (times > 0) {
      LargestShare largest = quota.largest();
      log.atWarn()
          .addKeyValue("owner", largest.owner())
          .addKeyValue(heldField, largest.held())
          .addKeyValue("times", times)
          .log(message);
    }
  }
}
