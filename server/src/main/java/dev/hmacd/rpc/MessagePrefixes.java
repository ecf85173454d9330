package dev.hmacd.rpc;

import io.netty.buffer.ByteBuf;

/// Reads the prefixes of the gRPC messages in the DATA frames of one request. A prefix is a
/// compression flag of one byte, and the length of the message in four bytes. A prefix may arrive
/// in several frames. Only the event loop of the connection uses an object of this class.
final class MessagePrefixes {
  private static final int PREFIX_BYTES = 5;

  /// Number of bytes of the current prefix that have arrived.
  private int prefixBytes;

  /// The length in the current prefix, as far as it has arrived.
  private long length;

  /// Number of bytes of the current message that have not arrived.
  private long rest;

  /// Reads a DATA frame, without a change of its reader index.
  ///
  /// @return length in bytes of the longest message whose prefix ends in this frame; 0 if there is
  ///   none
  long longest(ByteBuf data) {
    long longest = 0;
    int end = data.writerIndex();
    int at = data.readerIndex();
    while (at < end) {
      if (rest > 0) {
        int skipped = (int) Math.min(rest, end - at);
        rest -= skipped;
        at += skipped;
        continue;
      }
      if (prefixBytes > 0) {
        length = (length << Byte.SIZE) | data.getUnsignedByte(at);
      }
      at++;
      prefixBytes++;
      if (prefixBytes == PREFIX_BYTES) {
        longest = Math.max(longest, length);
        rest = length;
        length = 0;
        prefixBytes = 0;
      }
    }
    return longest;
  }
}
