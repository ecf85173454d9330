package dev.hmacd.transport;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.OptionalLong;
import org.junit.jupiter.api.Test;

/// The file descriptors of this process, from `/proc`.
final class FileDescriptorsTest {
  private static final String LIMITS =
      """
      Limit                     Soft Limit           Hard Limit           Units
      Max processes             31803                31803                processes
      Max open files            1024                 524288               files
      Max locked memory         8388608              8388608              bytes
      """;

  @Test
  void softLimitIsRead() {
    assertThat(FileDescriptors.softLimit(LIMITS)).hasValue(1024);
    assertThat(FileDescriptors.softLimit(LIMITS.replace("1024  ", "unlimited")))
        .hasValue(Long.MAX_VALUE);
  }

  @Test
  void limitIsUnknownWithoutItsRow() {
    assertThat(FileDescriptors.softLimit("")).isEmpty();
    assertThat(FileDescriptors.softLimit(LIMITS.replace("open files", "open ports"))).isEmpty();
  }

  @Test
  void openDescriptorsAreCounted() {
    OptionalLong max = FileDescriptors.max();
    assertThat(max).isPresent();
    // The JVM itself has its standard streams and the file of its modules.
    assertThat(FileDescriptors.open().orElseThrow()).isBetween(4L, max.getAsLong());
  }
}
