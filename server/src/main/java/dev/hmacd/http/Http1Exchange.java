package dev.hmacd.http;

import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.handler.codec.http.DefaultFullHttpResponse;
import io.netty.handler.codec.http.DefaultHttpHeadersFactory;
import io.netty.handler.codec.http.HttpContent;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpHeaderValues;
import io.netty.handler.codec.http.HttpHeadersFactory;
import io.netty.handler.codec.http.HttpRequest;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpUtil;
import io.netty.handler.codec.http.HttpVersion;
import io.netty.handler.codec.http.TooLongHttpHeaderException;
import io.netty.handler.codec.http.TooLongHttpLineException;
import io.netty.util.AsciiString;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// A request over HTTP/1.1, from its head to its answer. Not thread-safe: all methods of this class
/// must run on the connection's event loop.
final class Http1Exchange extends NettyExchange {
  private static final HttpHeadersFactory HEADERS =
      DefaultHttpHeadersFactory.headersFactory().withValidation(false);

  private static final byte[] NO_BODY = {};

  private final Http1Connection connection;
  private String method = "";
  private String target = "";
  private boolean last;
  private boolean expectsContinue;

  Http1Exchange(Http1Connection connection, ServerContext server, ConnectionMemory memory) {
    super(connection.channel(), server, memory);
    this.connection = connection;
  }

  @Override
  void answerAvailable() {
    connection.sendReady();
  }

  @Override
  Channel connection() {
    return connection.channel();
  }

  /// Whether the connection is closed after the answer.
  boolean isLast() {
    return last;
  }

  /// Whether the client waits for `100 Continue` before it sends the body.
  boolean expectsContinue() {
    return expectsContinue;
  }

  /// Reads and checks the request head.
  ///
  /// @return the error for a refused request; null if the head is valid
  @Nullable HttpError readHead(HttpRequest request) {
    method = request.method().name();
    if (request.decoderResult().isFailure()) {
      return error(request.decoderResult().cause());
    }
    if (!request.protocolVersion().equals(HttpVersion.HTTP_1_1)) {
      return HttpError.VERSION;
    }
    target = request.uri();
    hold(method.length() + (long) target.length());
    last = !HttpUtil.isKeepAlive(request) || !server().profile().serves(method);
    for (var fields = request.headers().iteratorCharSequence(); fields.hasNext(); ) {
      Map.Entry<CharSequence, CharSequence> field = fields.next();
      field(AsciiString.of(field.getKey()).toLowerCase().toString(), field.getValue().toString());
    }
    if (headers().only("host").isEmpty()) {
      return HttpError.INVALID_HOST;
    }
    if (headers().has("transfer-encoding") && !isOnly("transfer-encoding", "chunked")) {
      // Netty ignores other transfer codings before `chunked`, but other parsers might not.
      return HttpError.MALFORMED;
    }
    if (HttpUtil.getContentLength(request, 0L) > server().limits().maxBodyBytes()) {
      return HttpError.BODY_TOO_LONG;
    }
    expectsContinue = headers().has("expect");
    return expectsContinue && !isOnly("expect", "100-continue") ? HttpError.EXPECTATION : null;
  }

  /// Whether a header field occurs exactly once, with this value.
  private boolean isOnly(String name, String value) {
    return headers().only(name).map(value::equalsIgnoreCase).orElse(false);
  }

  private static HttpError error(Throwable cause) {
    if (cause instanceof TooLongHttpLineException) {
      return HttpError.TARGET_TOO_LONG;
    }
    return cause instanceof TooLongHttpHeaderException
        ? HttpError.HEADERS_TOO_LONG
        : HttpError.MALFORMED;
  }

  /// Reads a part of the request body.
  ///
  /// @return the error for a refused request; null if the part of the body is within the bounds
  @Nullable HttpError readContent(HttpContent content) {
    if (content.decoderResult().isFailure()) {
      boolean trailer = content.decoderResult().cause() instanceof Http1Decoder.TrailerException;
      return trailer ? HttpError.TRAILERS : HttpError.MALFORMED;
    }
    return append(content.content());
  }

  /// Passes the complete request to the [HttpHandler].
  void begin() {
    begin(Request.of(method, target, headers(), takeBody()));
  }

  /// Refuses the request. The connection is closed after the answer, because further input is
  /// ambiguous or ignored.
  void refuse(HttpError error) {
    last = true;
    respond(() -> server().handler().refuse(error), 0);
  }

  /// Encodes the answer.
  ///
  /// @param isLast whether the connection is closed after this answer
  DefaultFullHttpResponse encode(Response answer, boolean isLast) {
    byte[] body = method.equals("HEAD") ? NO_BODY : answer.body();
    var encoded =
        new DefaultFullHttpResponse(
            HttpVersion.HTTP_1_1,
            HttpResponseStatus.valueOf(answer.status()),
            Unpooled.wrappedBuffer(body),
            HEADERS,
            HEADERS);
    HttpProfile profile = server().profile();
    encoded
        .headers()
        .set(profile.requestIdName(), answer.requestId())
        .set(HttpHeaderNames.CONTENT_TYPE, profile.contentType())
        .set(HttpHeaderNames.CONTENT_LENGTH, Integer.toString(body.length))
        .set(HttpHeaderNames.DATE, HttpDate.now());
    if (answer.status() == HttpResponseStatus.METHOD_NOT_ALLOWED.code()) {
      encoded.headers().set(HttpHeaderNames.ALLOW, profile.allow());
    }
    if (isLast) {
      encoded.headers().set(HttpHeaderNames.CONNECTION, HttpHeaderValues.CLOSE);
    }
    return encoded;
  }
}
