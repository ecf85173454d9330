package dev.hmacd.http;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/// An unexpected exception at the release of an answer: the connection ends, and counts no request.
final class FailedReleaseTest {
  private final List<Exchange> exchanges = new ArrayList<>();
  private final EmbeddedConnection connection =
      new EmbeddedConnection((_, exchange) -> exchanges.add(exchange));

  @BeforeEach
  void sendTwoRequests() {
    String request = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}";
    connection.write(request + request);
    assertThat(exchanges).hasSize(2).allMatch(exchange -> exchange.admit("caller"));
  }

  private static Response broken() {
    throw new IllegalStateException("broken");
  }

  private static Response answer() {
    return new Response(200, new byte[0], "id");
  }

  private void requireEnd() {
    connection.channel.runPendingTasks();
    assertThat(connection.channel.isOpen()).isFalse();
    assertThat(connection.bounds.requests()).isZero();
  }

  @Test
  void failedReleaseEndsTheConnection() {
    assertThatThrownBy(() -> exchanges.getFirst().respond(FailedReleaseTest::broken, 0))
        .hasMessage("broken");
    requireEnd();
  }

  /// The answer to the first request releases the answer to the second request, too.
  @Test
  void failedReleaseOfAPipelinedAnswerEndsTheConnection() {
    exchanges.getLast().respond(FailedReleaseTest::broken, 0);
    assertThat(connection.channel.isOpen()).isTrue();
    assertThatThrownBy(() -> exchanges.getFirst().respond(FailedReleaseTest::answer, 0))
        .hasMessage("broken");
    requireEnd();
  }

  @Test
  void secondAnswerToARequestIsIgnored() {
    exchanges.getLast().respond(FailedReleaseTest::answer, 0);
    exchanges.getLast().respond(FailedReleaseTest::broken, 0);
    exchanges.getFirst().respond(FailedReleaseTest::answer, 0);
    assertThat(connection.channel.isOpen()).isTrue();
    assertThat(connection.bounds.requests()).isZero();
  }
}
