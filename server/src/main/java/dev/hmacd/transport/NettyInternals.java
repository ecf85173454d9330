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
import java.lang.reflect.Field;
import org.jspecify.annotations.Nullable;

/// Reads private fields of Netty about the memory of a connection: undecoded bytes, the HPACK
/// table, and bytes that wait for flow control. Netty has no accessors for these fields. With a
/// version of Netty without these fields, the daemon serves no connection.
public final class NettyInternals {
  // Getters of type (Object)Object: `invokeExact` on a constant of this type is as fast as a field
  // access. A VarHandle, or a getter of another type, would adapt its type at each call.
  private static final MethodHandle CUMULATION = getter(ByteToMessageDecoder.class, "cumulation");
  private static final MethodHandle DELEGATE =
      getter(DecoratingHttp2ConnectionDecoder.class, "delegate");
  private static final MethodHandle FRAME_READER =
      getter(DefaultHttp2ConnectionDecoder.class, "frameReader");
  private static final MethodHandle LOGGED_READER = getter(Http2InboundFrameLogger.class, "reader");
  private static final MethodHandle CONTINUATION =
      getter(DefaultHttp2FrameReader.class, "headersContinuation");
  private static final MethodHandle HEADERS_DECODER =
      getter(DefaultHttp2FrameReader.class, "headersDecoder");
  private static final MethodHandle HPACK_DECODER =
      getter(DefaultHttp2HeadersDecoder.class, "hpackDecoder");
  private static final MethodHandle MONITOR =
      getter(DefaultHttp2RemoteFlowController.class, "monitor");

  // Getters of type (Object)long.
  private static final MethodHandle PENDING = pending();
  private static final MethodHandle TABLE_SIZE = tableSize();

  private NettyInternals() {}

  private static Field field(Class<?> owner, String name) throws NoSuchFieldException {
    return owner.getDeclaredField(name);
  }

  private static MethodHandles.Lookup lookup(Class<?> owner) throws IllegalAccessException {
    return MethodHandles.privateLookupIn(owner, MethodHandles.lookup());
  }

  private static MethodHandle getter(Class<?> owner, String name) {
    try {
      return lookup(owner)
          .unreflectGetter(field(owner, name))
          .asType(MethodType.methodType(Object.class, Object.class));
    } catch (ReflectiveOperationException e) {
      throw new ExceptionInInitializerError(e);
    }
  }

  private static MethodHandle pending() {
    try {
      Class<?> monitor = field(DefaultHttp2RemoteFlowController.class, "monitor").getType();
      return lookup(monitor)
          .unreflectGetter(field(monitor, "totalPendingBytes"))
          .asType(MethodType.methodType(long.class, Object.class));
    } catch (ReflectiveOperationException e) {
      throw new ExceptionInInitializerError(e);
    }
  }

  private static MethodHandle tableSize() {
    try {
      Class<?> decoder = field(DefaultHttp2HeadersDecoder.class, "hpackDecoder").getType();
      return lookup(decoder)
          .findVirtual(decoder, "size", MethodType.methodType(long.class))
          .asType(MethodType.methodType(long.class, Object.class));
    } catch (ReflectiveOperationException e) {
      throw new ExceptionInInitializerError(e);
    }
  }

  private static @Nullable Object get(MethodHandle getter, Object holder) {
    try {
      return (Object) getter.invokeExact(holder);
    } catch (Throwable e) {
      throw new IllegalStateException(e); // Not thrown: a getter only reads a field.
    }
  }

  private static long number(MethodHandle getter, @Nullable Object holder) {
    try {
      return (long) getter.invokeExact(holder);
    } catch (Throwable e) {
      throw new IllegalStateException(e); // Not thrown: the method only adds numbers.
    }
  }

  /// Size of the HPACK decoder's dynamic table, in bytes (RFC 7541, section 4.1).
  static long headerTableBytes(DefaultHttp2FrameReader reader) {
    return get(HEADERS_DECODER, reader) instanceof DefaultHttp2HeadersDecoder decoder
        ? number(TABLE_SIZE, get(HPACK_DECODER, decoder))
        : 0;
  }

  /// Bytes in DATA frames that wait for the client's flow-control windows, of all streams together.
  public static long heldBackBytes(Http2RemoteFlowController flow) {
    return flow instanceof DefaultHttp2RemoteFlowController netty
        ? number(PENDING, get(MONITOR, netty))
        : 0;
  }

  /// Capacity of the decoder's buffer with an unfinished record, frame or request head, in bytes; 0
  /// if the buffer is empty.
  static long undecodedBytes(ByteToMessageDecoder decoder) {
    return get(CUMULATION, decoder) instanceof ByteBuf buffer && buffer.isReadable()
        ? buffer.capacity()
        : 0;
  }

  /// The reader of an HTTP/2 connection's frames.
  static @Nullable DefaultHttp2FrameReader frameReader(Http2ConnectionHandler handler) {
    @Nullable Object at = handler.decoder();
    while (at instanceof DecoratingHttp2ConnectionDecoder decorator) {
      at = get(DELEGATE, decorator);
    }
    if (at instanceof DefaultHttp2ConnectionDecoder decoder) {
      at = get(FRAME_READER, decoder);
    }
    if (at instanceof Http2InboundFrameLogger logger) {
      at = get(LOGGED_READER, logger);
    }
    return at instanceof DefaultHttp2FrameReader reader ? reader : null;
  }

  /// Whether a header block has begun and not ended (RFC 9113, section 6.10).
  static boolean isInHeaderBlock(DefaultHttp2FrameReader reader) {
    return get(CONTINUATION, reader) != null;
  }
}
