package dev.hmacd.testing;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;

import com.google.protobuf.InvalidProtocolBufferException;
import com.google.rpc.ErrorInfo;
import com.google.rpc.Status;
import dev.hmacd.transport.HeaderTable;
import io.netty.buffer.Unpooled;
import io.netty.handler.codec.http2.DefaultHttp2HeadersDecoder;
import io.netty.handler.codec.http2.Http2Error;
import io.netty.handler.codec.http2.Http2Exception;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.net.SocketException;
import java.net.SocketTimeoutException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLSocket;

/// A client that writes any HTTP/2 frames (RFC 9113), which a library would not send.
public final class RawHttp2 implements AutoCloseable {
  public static final int DATA = 0;
  public static final int HEADERS = 1;
  public static final int PRIORITY = 2;
  public static final int RST_STREAM = 3;
  public static final int SETTINGS = 4;
  public static final int PUSH_PROMISE = 5;
  public static final int PING = 6;
  public static final int GOAWAY = 7;
  public static final int WINDOW_UPDATE = 8;
  public static final int CONTINUATION = 9;

  public static final int ACK = 1;
  public static final int END_STREAM = 1;
  public static final int END_HEADERS = 4;
  public static final int PADDED = 8;

  /// The largest payload of a frame that each server accepts.
  private static final int MAX_FRAME = 16384;

  /// The initial flow-control window.
  private static final int DEFAULT_WINDOW = 65_535;

  /// Timeout of an answer.
  private static final int LIMIT_MILLIS = Math.toIntExact(Eventually.LIMIT.toMillis());

  private static final byte[] MAGIC = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".getBytes(UTF_8);

  private final Socket socket;
  private final DataInputStream in;
  private final OutputStream out;
  private final DefaultHttp2HeadersDecoder decoder = new DefaultHttp2HeadersDecoder(false, 1 << 20);
  private final Set<Integer> ended = new HashSet<>();
  private final List<GoAway> goAways = new ArrayList<>();
  private int nextStream = 1;
  private final Map<String, String> received = new HashMap<>();
  private final ByteArrayOutputStream body = new ByteArrayOutputStream();

  public RawHttp2(Socket socket) throws IOException {
    this.socket = socket;
    socket.setSoTimeout(LIMIT_MILLIS);
    socket.setTcpNoDelay(true);
    if (socket instanceof SSLSocket tls) {
      var parameters = tls.getSSLParameters();
      parameters.setApplicationProtocols(new String[] {"h2"});
      tls.setSSLParameters(parameters);
      tls.startHandshake();
    }
    this.in = new DataInputStream(socket.getInputStream());
    this.out = socket.getOutputStream();
  }

  /// Connects without TLS, and writes the connection preface.
  public static RawHttp2 to(int port) throws IOException {
    return new RawHttp2(new Socket(InetAddress.getLoopbackAddress(), port)).preface();
  }

  /// Writes the connection preface: the magic and empty SETTINGS.
  public RawHttp2 preface() throws IOException {
    return bytes(MAGIC).frame(SETTINGS, 0, 0, new byte[0]);
  }

  public RawHttp2 bytes(byte... bytes) throws IOException {
    out.write(bytes);
    return this;
  }

  public RawHttp2 frame(int type, int flags, int stream, byte[] payload) throws IOException {
    return bytes(frameBytes(type, flags, stream, payload));
  }

  /// As [#frame(int, int, int, byte[])], with the payload as numbers.
  public RawHttp2 frame(int type, int flags, int stream, int... payload) throws IOException {
    byte[] bytes = new byte[payload.length];
    for (int i = 0; i < bytes.length; i++) {
      bytes[i] = (byte) payload[i];
    }
    return frame(type, flags, stream, bytes);
  }

  /// Writes these bytes in as many DATA frames as needed, the last with END_STREAM.
  public RawHttp2 data(int stream, byte... bytes) throws IOException {
    int from = 0;
    for (; bytes.length - from > MAX_FRAME; from += MAX_FRAME) {
      frame(DATA, 0, stream, Arrays.copyOfRange(bytes, from, from + MAX_FRAME));
    }
    return frame(DATA, END_STREAM, stream, Arrays.copyOfRange(bytes, from, bytes.length));
  }

  /// Writes a part of a body within the flow-control windows (RFC 9113, section 5.2). Other streams
  /// of the connection may have sent a few kilobytes at most.
  public RawHttp2 paced(int stream, int length) throws IOException {
    int ofConnection = DEFAULT_WINDOW - MAX_FRAME / 2;
    int ofStream = DEFAULT_WINDOW;
    int left = length;
    while (left > 0) {
      int size = Math.min(Math.min(left, MAX_FRAME), Math.min(ofConnection, ofStream));
      if (size > 0) {
        frame(DATA, 0, stream, new byte[size]);
        left -= size;
        ofConnection -= size;
        ofStream -= size;
        continue;
      }
      int lengthAndType = in.readInt();
      in.skipNBytes(1);
      int on = in.readInt();
      byte[] payload = new byte[lengthAndType >>> 8];
      in.readFully(payload);
      if ((lengthAndType & 0xff) == WINDOW_UPDATE) {
        int more = ByteBuffer.wrap(payload).getInt();
        ofConnection += on == 0 ? more : 0;
        ofStream += on == stream ? more : 0;
      }
    }
    return this;
  }

  /// The id of an unused stream.
  public int nextStream() {
    nextStream += 2;
    return nextStream;
  }

  public static byte[] frameBytes(int type, int flags, int stream, byte[] payload) {
    return ByteBuffer.allocate(9 + payload.length)
        .putInt((payload.length << 8) | type)
        .put((byte) flags)
        .putInt(stream)
        .put(payload)
        .array();
  }

  /// Opens a gRPC call, with additional headers.
  public RawHttp2 call(int stream, String path, String... more) throws IOException {
    return frame(HEADERS, END_HEADERS, stream, callHeaders(path, more));
  }

  /// The headers of a gRPC call, in HPACK.
  public static byte[] callHeaders(String path, String... more) {
    var block = new ByteArrayOutputStream();
    block.writeBytes(
        headers(":method", "POST", ":scheme", "https", ":path", path, ":authority", "localhost"));
    block.writeBytes(headers("content-type", "application/grpc", "te", "trailers"));
    block.writeBytes(headers(more));
    return block.toByteArray();
  }

  /// Names and values as HPACK literals without indexing (RFC 7541, section 6.2.2).
  public static byte[] headers(String... namesAndValues) {
    var block = new ByteArrayOutputStream();
    for (int i = 0; i < namesAndValues.length; i += 2) {
      block.write(0);
      for (String text : new String[] {namesAndValues[i], namesAndValues[i + 1]}) {
        byte[] bytes = text.getBytes(ISO_8859_1);
        int rest = bytes.length - 127;
        block.write(Math.min(bytes.length, 127));
        for (; rest >= 128; rest >>= 7) {
          block.write((rest & 0x7f) | 0x80);
        }
        if (bytes.length >= 127) {
          block.write(rest);
        }
        block.writeBytes(bytes);
      }
    }
    return block.toByteArray();
  }

  /// A gRPC message with its prefix.
  public static byte[] message(int flag, byte... body) {
    return ByteBuffer.allocate(5 + body.length)
        .put((byte) flag)
        .putInt(body.length)
        .put(body)
        .array();
  }

  /// The end of a stream, or of its connection.
  public sealed interface End {
    /// The stream ended with gRPC trailers.
    ///
    /// @param reason of the `ErrorInfo`; empty if there is none
    /// @param text the status message and the `ErrorInfo`
    record Answered(io.grpc.Status.Code code, String reason, String text) implements End {}

    /// The stream ended with an HTTP status and without gRPC trailers.
    record Http(String status) implements End {}

    record Reset(Http2Error error) implements End {}

    record GoneAway(Http2Error error, String text) implements End {}

    record Closed() implements End {}

    /// The end with an empty text, for comparisons.
    default End withoutText() {
      return this instanceof Answered(var code, var reason, var _)
          ? new Answered(code, reason, "")
          : this;
    }
  }

  /// Reads until the end of a stream.
  public End end(int stream) throws IOException {
    received.clear();
    body.reset();
    try {
      while (true) {
        int lengthAndType = in.readInt();
        int flags = in.readUnsignedByte();
        int on = in.readInt() & 0x7fffffff;
        byte[] payload = new byte[lengthAndType >>> 8];
        in.readFully(payload);
        switch (lengthAndType & 0xff) {
          case HEADERS -> {
            Map<String, String> headers = decode(on, payload);
            note(on, (flags & END_STREAM) != 0);
            if (on == stream) {
              received.putAll(headers);
              if ((flags & END_STREAM) != 0) {
                return answered();
              }
            }
          }
          case DATA -> {
            note(on, (flags & END_STREAM) != 0);
            if (on == stream) {
              body.write(payload);
            }
            if (on == stream && (flags & END_STREAM) != 0) {
              return answered();
            }
          }
          case RST_STREAM -> {
            note(on, true);
            if (on == stream) {
              return new End.Reset(error(ByteBuffer.wrap(payload).getInt()));
            }
          }
          case PING -> {
            if (flags == 0) {
              frame(PING, ACK, 0, payload);
            }
          }
          case GOAWAY -> {
            if (noteGoAway(payload)) {
              continue; // Open calls continue after a graceful GOAWAY.
            }
            return new End.GoneAway(
                error(ByteBuffer.wrap(payload).getInt(4)),
                new String(payload, 8, payload.length - 8, UTF_8));
          }
          default -> {} // Other frames do not end a stream.
        }
      }
    } catch (EOFException | SocketException | SSLException e) {
      return new End.Closed();
    }
  }

  /// A GOAWAY frame without an error (RFC 9113, section 6.8).
  ///
  /// @param text the debug data
  public record GoAway(int lastStream, String text) {}

  /// Records a GOAWAY frame without an error.
  ///
  /// @return false for a frame with an error
  private boolean noteGoAway(byte[] payload) {
    ByteBuffer fields = ByteBuffer.wrap(payload);
    if (fields.getInt(4) != 0) {
      return false;
    }
    goAways.add(
        new GoAway(
            fields.getInt(0) & 0x7fffffff, new String(payload, 8, payload.length - 8, UTF_8)));
    return true;
  }

  /// The GOAWAY frames without an error so far, as far as this client has read.
  public List<GoAway> goAways() {
    return List.copyOf(goAways);
  }

  /// Reads until this number of GOAWAY frames without an error. Must not be called while an answer
  /// is due.
  public List<GoAway> awaitGoAways(int count) throws IOException {
    while (goAways.size() < count) {
      int lengthAndType = in.readInt();
      int flags = in.readUnsignedByte();
      in.skipNBytes(4);
      byte[] payload = new byte[lengthAndType >>> 8];
      in.readFully(payload);
      if ((lengthAndType & 0xff) == PING && flags == 0) {
        frame(PING, ACK, 0, payload);
      } else if ((lengthAndType & 0xff) == GOAWAY && !noteGoAway(payload)) {
        throw new IOException("GOAWAY with an error");
      }
    }
    return goAways();
  }

  /// The headers and trailers of the stream of the last [#end].
  public Map<String, String> received() {
    return received;
  }

  /// The data of the stream of the last [#end], as a string.
  public String body() {
    return body.toString(UTF_8);
  }

  /// Reads until a DATA frame on a stream.
  public void awaitMessage(int stream) throws IOException {
    while (true) {
      int lengthAndType = in.readInt();
      in.skipNBytes(1);
      int on = in.readInt() & 0x7fffffff;
      byte[] payload = new byte[lengthAndType >>> 8];
      in.readFully(payload);
      if ((lengthAndType & 0xff) == HEADERS) {
        var _ = decode(on, payload); // Each header block updates the HPACK table.
      } else if ((lengthAndType & 0xff) == DATA && on == stream) {
        return;
      }
    }
  }

  /// Size of the dynamic table after the header blocks that this client has read, in bytes.
  public long headerTableBytes() {
    return HeaderTable.bytes(decoder);
  }

  private void note(int stream, boolean last) {
    if (last) {
      ended.add(stream);
    }
  }

  /// The streams that the peer has ended so far, as far as [#end] has read.
  public Set<Integer> ended() {
    return Set.copyOf(ended);
  }

  private Map<String, String> decode(int stream, byte[] block) throws IOException {
    try {
      Map<String, String> headers = new HashMap<>();
      decoder
          .decodeHeaders(stream, Unpooled.wrappedBuffer(block))
          .forEach(entry -> headers.put(entry.getKey().toString(), entry.getValue().toString()));
      return headers;
    } catch (Http2Exception e) {
      throw new IOException(e);
    }
  }

  private End answered() throws InvalidProtocolBufferException {
    String code = received.get("grpc-status");
    if (code == null) {
      return new End.Http(String.valueOf(received.get(":status")));
    }
    String reason = "";
    String text = received.getOrDefault("grpc-message", "");
    String details = received.get("grpc-status-details-bin");
    if (details != null) {
      Status status = Status.parseFrom(Base64.getDecoder().decode(details));
      ErrorInfo info = status.getDetails(0).unpack(ErrorInfo.class);
      reason = info.getReason();
      text += " " + info;
    }
    return new End.Answered(
        io.grpc.Status.fromCodeValue(Integer.parseInt(code)).getCode(), reason, text);
  }

  private static Http2Error error(int code) {
    Http2Error error = Http2Error.valueOf(code);
    return error == null ? Http2Error.INTERNAL_ERROR : error;
  }

  /// Whether the peer closes the connection within the limit. Skips all bytes before.
  public boolean isClosedByPeer() throws IOException {
    byte[] skipped = new byte[8192];
    try {
      while (in.read(skipped) >= 0) {}
      return true;
    } catch (SocketTimeoutException e) {
      return false;
    } catch (SocketException | SSLException e) {
      return true;
    }
  }

  @Override
  public void close() throws IOException {
    socket.close();
  }
}
