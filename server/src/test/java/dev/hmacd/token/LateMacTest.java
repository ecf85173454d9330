package dev.hmacd.token;

import static org.assertj.core.api.Assertions.assertThat;

import dev.hmacd.key.KeyObject;
import dev.hmacd.key.MacAlgorithm;
import org.junit.jupiter.api.Test;

/// The secret of an access key is made from a MAC, so a late MAC does not stay in the heap.
final class LateMacTest {
  private static final SignRequest REQUEST =
      new SignRequest(
          new KeyObject("label", "01"), null, MacAlgorithm.HMAC_SHA_256, new byte[1], 0);

  private final RecordedCompletion completion = new RecordedCompletion();
  private final Job<byte[]> job = Job.sign(REQUEST, completion);
  private final byte[] mac = {1, 2, 3};

  @Test
  void lateMacIsCleared() {
    job.late();
    job.done(mac);
    assertThat(completion.failure().kind()).isEqualTo(TokenException.Kind.LATE);
    assertThat(completion.answers()).isEqualTo(1);
    assertThat(mac).containsOnly(0);
  }

  @Test
  void macOfAWaitingCallerIsNotCleared() {
    job.done(mac);
    job.late();
    assertThat(completion.mac()).containsExactly(1, 2, 3);
    assertThat(completion.answers()).isEqualTo(1);
  }
}
