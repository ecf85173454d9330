package dev.hmacd.rpc;

import dev.hmacd.usecase.Failure;
import dev.hmacd.usecase.Refusal;
import java.util.zip.CRC32C;

/// CRC32C checksums of request and response fields (RFC 3720). Only the gRPC edge has checksums.
final class Checksums {
  private Checksums() {}

  /// @throws Refusal if the CRC32C checksum of the bytes differs from the expected checksum
  static void check(String field, int expected, byte[] bytes) {
    if (crc32c(bytes) != expected) {
      throw new Refusal(new Failure.ChecksumMismatch(field));
    }
  }

  static int crc32c(byte[] bytes) {
    var crc = new CRC32C();
    crc.update(bytes, 0, bytes.length);
    return (int) crc.getValue();
  }
}
