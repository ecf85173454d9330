package dev.hmacd.http;

import static java.nio.charset.StandardCharsets.US_ASCII;
import static org.assertj.core.api.Assertions.assertThat;

import io.netty.buffer.Unpooled;
import org.junit.jupiter.api.Test;

final class RequestBodyTest {
  @Test
  void takenBodyIsReleasedAndItsLengthIsKept() {
    var body = new RequestBody();
    for (String part : new String[] {"abc", "d", "efghijklmno"}) {
      body.append(Unpooled.copiedBuffer(part, US_ASCII));
      body.append(Unpooled.EMPTY_BUFFER);
    }
    assertThat(body.take()).asString(US_ASCII).isEqualTo("abcdefghijklmno");
    assertThat(body.heapBytes()).isZero();
    assertThat(body.length()).isEqualTo(15);
  }
}
