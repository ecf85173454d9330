package dev.hmacd.awskms;

import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandlerContext;
import io.netty.handler.codec.http.HttpDecoderConfig;
import io.netty.handler.codec.http.HttpRequest;
import io.netty.handler.codec.http.HttpRequestDecoder;
import io.netty.handler.codec.http.LastHttpContent;
import java.util.List;

/// Netty's decoder of HTTP/1.1 requests, which refuses what two parsers could read in two ways:
/// both a length and chunks, several lengths, bad chunks, lines without CR. In front of it, for
/// heads: folded lines, control characters, and request lines with anything but single blanks,
/// which it would let pass.
final class Http1Decoder extends HttpRequestDecoder {
  private static final byte SPACE = ' ';
  private static final byte TAB = '\t';
  private static final byte CR = '\r';
  private static final byte LF = '\n';
  private static final byte DELETE = 0x7f;

  /// In capitals (RFC 9112, section 2.3), which the library does not insist on.
  private static final byte[] PROTOCOL = {'H', 'T', 'T', 'P', '/'};

  private boolean inHead = true;
  private boolean requestLineSeen;
  private boolean broken;

  /// @param maxHeadBytes of a request line, and of all header fields together
  Http1Decoder(int maxHeadBytes) {
    super(
        new HttpDecoderConfig()
            .setMaxInitialLineLength(maxHeadBytes)
            .setMaxHeaderSize(maxHeadBytes)
            .setMaxChunkSize(1 << 16)
            .setInitialBufferSize(256));
  }

  /// A request that has no one meaning; nothing after it on the connection has any either.
  static final class MalformedException extends RuntimeException {
    private static final long serialVersionUID = 1;

    MalformedException(String message) {
      super(message, null, false, false);
    }
  }

  /// Whether a request has begun to come and has not come whole. On the event loop.
  boolean isMidRequest() {
    return !broken && (!inHead || requestLineSeen || actualReadableBytes() > 0);
  }

  @Override
  protected void decode(ChannelHandlerContext context, ByteBuf buffer, List<Object> out)
      throws Exception {
    if (broken) {
      buffer.skipBytes(buffer.readableBytes());
      return;
    }
    if (inHead) {
      try {
        checkHead(buffer);
      } catch (MalformedException e) {
        broken = true;
        buffer.skipBytes(buffer.readableBytes());
        throw e;
      }
    }
    int before = out.size();
    super.decode(context, buffer, out);
    for (int i = before; i < out.size(); i++) {
      if (out.get(i) instanceof HttpRequest) {
        inHead = false;
      }
      if (out.get(i) instanceof LastHttpContent) {
        inHead = true;
        requestLineSeen = false;
      }
    }
  }

  /// Looks at the lines that are there whole. Netty takes all of them at once, so that each is seen
  /// once, and a line is where the buffer begins.
  private void checkHead(ByteBuf buffer) {
    int start = buffer.readerIndex();
    int end = buffer.writerIndex();
    while (start < end) {
      byte first = buffer.getByte(start);
      if (first == SPACE || first == TAB) {
        throw new MalformedException("a line begins with a blank");
      }
      if (!requestLineSeen && first >= 0 && first < SPACE) {
        // Even without the line's end: Netty would skip such bytes.
        throw new MalformedException("a request begins with a control character");
      }
      int lineFeed = buffer.indexOf(start, end, LF);
      if (lineFeed < 0) {
        return;
      }
      if (lineFeed == start || buffer.getByte(lineFeed - 1) != CR) {
        throw new MalformedException("a line does not end with CR LF");
      }
      int length = lineFeed - 1 - start;
      if (requestLineSeen && length == 0) {
        return; // The end of the head.
      }
      checkLine(buffer, start, lineFeed - 1);
      requestLineSeen = true;
      start = lineFeed + 1;
    }
  }

  private void checkLine(ByteBuf buffer, int start, int end) {
    int blanks = 0;
    int lastBlank = start;
    for (int i = start; i < end; i++) {
      byte b = buffer.getByte(i);
      boolean control = (b >= 0 && b < SPACE) || b == DELETE;
      if (control && (b != TAB || !requestLineSeen)) {
        throw new MalformedException("a line has a control character");
      }
      if (b == SPACE) {
        blanks++;
        lastBlank = i;
      }
    }
    if (requestLineSeen) {
      return;
    }
    if (blanks != 2) {
      throw new MalformedException("a request line has three parts");
    }
    for (int i = 0; i < PROTOCOL.length; i++) {
      int at = lastBlank + 1 + i;
      if (at >= end || buffer.getByte(at) != PROTOCOL[i]) {
        throw new MalformedException("a request line ends with a version of HTTP");
      }
    }
  }
}
