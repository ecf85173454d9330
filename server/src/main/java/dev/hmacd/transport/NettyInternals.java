package dev.hmacd.transport;

import io.netty.buffer.ByteBuf;
import io.netty.handler.codec.ByteToMessageDecoder;
import io.netty.handler.codec.http2.DecoratingHttp2ConnectionDecoder;
import io.netty.handler.codec.http2.DefaultHttp2ConnectionDecoder;
import io.netty.handler.codec.http2.DefaultHttp2FrameReader;
import io.netty.handler.codec.http2.DefaultHttp2HeadersDecoder;
import io.netty.handler.codec.http2.DefaultHttp2RemoteFlowController;
import io.netty.handler.codec.http2.Http2ConnectionHandler;
import io.netty.handler.codec.http2.Http2InboundFrameLogger;
import io.netty.handler.codec.http2.Http2RemoteFlowController;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.lang.invoke.VarHandle;
import org.jspecify.annotations.Nullable;

/// Reads private fields of Netty about the memory of a connection: undecoded bytes, the HPACK
/// table, and bytes that wait for flow control. Netty has no accessors for these fields. With a
/// version of Netty without these fields, the daemon serves no connection.
public final class NettyInternals {
  private static final VarHandle CUMULATION = field(ByteToMessageDecoder.class, "cumulation");
  private static final VarHandle DELEGATE =
      field(DecoratingHttp2ConnectionDecoder.class, "delegate");
  private static final VarHandle FRAME_READER =
      field(DefaultHttp2ConnectionDecoder.class, "frameReader");
  private static final VarHandle LOGGED_READER = field(Http2InboundFrameLogger.class, "reader");
  private static final VarHandle CONTINUATION =
      field(DefaultHttp2FrameReader.class, "headersContinuation");

  private static final VarHandle MONITOR = field(DefaultHttp2RemoteFlowController.class, "monitor");
  private static final VarHandle PENDING = field(MONITOR.varType(), "totalPendingBytes");
  private static final VarHandle HEADERS_DECODER =
      field(DefaultHttp2FrameReader.class, "headersDecoder");
  private static final VarHandle HPACK_DECODER =
      field(DefaultHttp2HeadersDecoder.class, "hpackDecoder");
  private static final MethodHandle TABLE_SIZE = tableSize();

  private NettyInternals() {}

  private static MethodHandle tableSize() {
    try {
      return MethodHandles.privateLookupIn(HPACK_DECODER.varType(), MethodHandles.lookup())
          .findVirtual(HPACK_DECODER.varType(), "size", MethodType.methodType(long.class))
          .asType(MethodType.methodType(long.class, Object.class));
    } catch (ReflectiveOperationException e) {
      throw new ExceptionInInitializerError(e);
    }
  }

  /// Size of the HPACK decoder's dynamic table, in bytes (RFC 7541, section 4.1).
  static long headerTableBytes(DefaultHttp2FrameReader reader) {
    if (!(HEADERS_DECODER.get(reader) instanceof DefaultHttp2HeadersDecoder decoder)) {
      return 0;
    }
    try {
      return (long) TABLE_SIZE.invokeExact((Object) HPACK_DECODER.get(decoder));
    } catch (Throwable e) {
      throw new IllegalStateException(e); // Not thrown: the method only adds numbers.
    }
  }

  /// Bytes in DATA frames that wait for the client's flow-control windows, of all streams together.
  public static long heldBackBytes(Http2RemoteFlowController flow) {
    return flow instanceof DefaultHttp2RemoteFlowController netty
        ? (long) PENDING.get(MONITOR.get(netty))
        : 0;
  }

  private static VarHandle field(Class<?> owner, String name) {
    try {
      return MethodHandles.privateLookupIn(owner, MethodHandles.lookup())
          .unreflectVarHandle(owner.getDeclaredField(name));
    } catch (ReflectiveOperationException e) {
      throw new ExceptionInInitializerError(e);
    }
  }

  /// Capacity of the decoder's buffer with an unfinished record, frame or request head, in bytes; 0
  /// if the buffer is empty.
  static long undecodedBytes(ByteToMessageDecoder decoder) {
    return CUMULATION.get(decoder) instanceof ByteBuf buffer && buffer.isReadable()
        ? buffer.capacity()
        : 0;
  }

  /// The reader of an HTTP/2 connection's frames.
  static @Nullable DefaultHttp2FrameReader frameReader(Http2ConnectionHandler handler) {
    Object at = handler.decoder();
    while (at instanceof DecoratingHttp2ConnectionDecoder decorator) {
      at = DELEGATE.get(decorator);
    }
    if (at instanceof DefaultHttp2ConnectionDecoder decoder) {
      at = FRAME_READER.get(decoder);
    }
    if (at instanceof Http2InboundFrameLogger logger) {
      at = LOGGED_READER.get(logger);
    }
    return at instanceof DefaultHttp2FrameReader reader ? reader : null;
  }

  /// Whether a header block has begun and not ended (RFC 9113, section 6.10).
  static boolean isInHeaderBlock(DefaultHttp2FrameReader reader) {
    return CONTINUATION.get(reader) != null;
  }
}
