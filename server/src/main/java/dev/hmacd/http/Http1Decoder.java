package dev.hmacd.http;

import io.netty.buffer.ByteBuf;
import io.netty.channel.ChannelHandlerContext;
import io.netty.handler.codec.http.HttpDecoderConfig;
import io.netty.handler.codec.http.HttpObject;
import io.netty.handler.codec.http.HttpRequest;
import io.netty.handler.codec.http.HttpRequestDecoder;
import io.netty.handler.codec.http.LastHttpContent;
import io.netty.handler.codec.http.TooLongHttpHeaderException;
import io.netty.util.AsciiString;
import java.util.List;

/// Netty's decoder of HTTP/1.1 requests, with stricter checks against request smuggling. Refuses
/// requests that two HTTP parsers could interpret differently. Netty refuses `Content-Length`
/// together with chunks, several lengths, malformed chunks, and lines without CR. Before Netty
/// parses a request head, this class refuses folded lines, control characters, lines without CR LF,
/// and request lines without exactly two blanks.
///
/// Netty removes each complete line of a request head from its buffer, and limits only the total
/// length of the lines. So this class counts the header fields and their heap when they arrive.
final class Http1Decoder extends HttpRequestDecoder {
  private static final byte SPACE = ' ';
  private static final byte TAB = '\t';
  private static final byte CR = '\r';
  private static final byte LF = '\n';
  private static final byte DELETE = 0x7f;

  /// Start of the HTTP version. RFC 9112, section 2.3, requires capitals, but Netty does not.
  private static final byte[] PROTOCOL = {'H', 'T', 'T', 'P', '/'};

  /// Heap of a header field in a partially received head without the field's characters, in bytes:
  /// two strings with their arrays, and an entry of Netty's map.
  private static final int FIELD_BYTES = 144;

  private boolean inHead = true;
  private boolean requestLineSeen;
  private boolean broken;
  private int fields;
  private long headBytes;

  /// @param maxHeadBytes maximum length of a request line, and of all header fields together
  Http1Decoder(int maxHeadBytes) {
    super(
        new HttpDecoderConfig()
            .setMaxInitialLineLength(maxHeadBytes)
            .setMaxHeaderSize(maxHeadBytes)
            .setMaxChunkSize(1 << 16)
            .setInitialBufferSize(256));
  }

  /// Exception for an ambiguous request. All further input of the connection is ambiguous, too.
  static final class MalformedException extends RuntimeException {
    private static final long serialVersionUID = 1;

    MalformedException(String message) {
      super(message, null, false, false);
    }
  }

  /// Exception for a request with a trailer field after its last chunk.
  static final class TrailerException extends RuntimeException {
    private static final long serialVersionUID = 1;

    TrailerException() {
      super("the request has a trailer field after its last chunk", null, false, false);
    }
  }

  /// Heap of the received lines of an incomplete request head, in bytes; 0 if there is no
  /// incomplete head. Must be called on the event loop.
  long headBytes() {
    return headBytes;
  }

  /// Whether a request is partially received. Must be called on the event loop.
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
      if (out.get(i) instanceof HttpObject part && part.decoderResult().isFailure()) {
        broken = true; // Netty ignores the following input.
      }
      if (out.get(i) instanceof HttpRequest) {
        inHead = false;
        fields = 0;
        headBytes = 0;
      }
      if (out.get(i) instanceof LastHttpContent) {
        inHead = true;
        requestLineSeen = false;
      }
    }
  }

  /// Netty calls this method for each header field, and for each trailer field after the body.
  @Override
  protected AsciiString splitHeaderName(byte[] line, int start, int length) {
    if (!inHead) {
      throw new TrailerException();
    }
    fields++;
    if (fields > ServerContext.MAX_HEADER_FIELDS) {
      throw new TooLongHttpHeaderException(
          "the request has more than " + ServerContext.MAX_HEADER_FIELDS + " header fields");
    }
    return super.splitHeaderName(line, start, length);
  }

  /// Checks the complete lines of a request head in the buffer. Netty consumes all complete lines
  /// at once. So this method sees each line once, and the buffer begins at the start of a line.
  private void checkHead(ByteBuf buffer) {
    int start = buffer.readerIndex();
    int end = buffer.writerIndex();
    while (start < end) {
      byte first = buffer.getByte(start);
      if (first == SPACE || first == TAB) {
        throw new MalformedException("a line of the request head begins with a blank");
      }
      if (!requestLineSeen && first >= 0 && first < SPACE) {
        // Checked before the line is complete: Netty would skip control characters here.
        throw new MalformedException("the request begins with a control character");
      }
      int lineFeed = buffer.indexOf(start, end, LF);
      if (lineFeed < 0) {
        return;
      }
      if (lineFeed == start || buffer.getByte(lineFeed - 1) != CR) {
        throw new MalformedException("a line of the request head does not end with CR LF");
      }
      int length = lineFeed - 1 - start;
      if (requestLineSeen && length == 0) {
        return; // An empty line ends the head.
      }
      checkLine(buffer, start, lineFeed - 1);
      // Twice the length: the characters of the line, and at most as many in Netty's line buffer.
      headBytes += FIELD_BYTES + 2L * length;
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
        throw new MalformedException("a line of the request head has a control character");
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
      throw new MalformedException("the request line must have a method, a target and a version");
    }
    for (int i = 0; i < PROTOCOL.length; i++) {
      int at = lastBlank + 1 + i;
      if (at >= end || buffer.getByte(at) != PROTOCOL[i]) {
        throw new MalformedException("the request line must end with a version, e.g. HTTP/1.1");
      }
    }
  }
}
