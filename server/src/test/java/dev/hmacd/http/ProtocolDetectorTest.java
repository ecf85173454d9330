package dev.hmacd.http;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/// Timeouts that expire while received bytes are unread because the event loop is busy.
final class ProtocolDetectorTest {
  private final List<Request> taken = new ArrayList<>();
  private final EmbeddedConnection connection =
      new EmbeddedConnection((request, _) -> taken.add(request));

  private void checkTimeoutsAfterTheLimit() {
    connection.watchdog.check(
        System.nanoTime() + EmbeddedConnection.TIMEOUT.multipliedBy(2).toNanos());
  }

  @Test
  void requestIsAcceptedIfItsTimeoutExpiresBeforeReceivedBytesAreRead() {
    connection.write("P");
    checkTimeoutsAfterTheLimit();
    connection.write("OST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}");
    assertThat(taken).hasSize(1);
    assertThat(connection.channel.isOpen()).isTrue();
  }

  @Test
  void connectionWithALateRequestIsClosed() {
    connection.write("P");
    checkTimeoutsAfterTheLimit();
    connection.channel.runPendingTasks();
    assertThat(connection.channel.isOpen()).isFalse();
  }
}
