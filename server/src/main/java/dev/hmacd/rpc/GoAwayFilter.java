package dev.hmacd.rpc;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.netty.buffer.ByteBuf;
import io.netty.handler.codec.http2.Http2ConnectionAdapter;
import io.netty.handler.codec.http2.Http2Error;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Removes and logs the text of a GOAWAY frame after an internal error. The text is the message of
/// an unexpected exception, which Netty would send to the client.
final class GoAwayFilter extends Http2ConnectionAdapter {
  private static final Logger log = LoggerFactory.getLogger(GoAwayFilter.class);

  @Override
  public void onGoAwaySent(int lastStream, long error, ByteBuf text) {
    if (error == Http2Error.INTERNAL_ERROR.code()) {
      log.atDebug()
          .addKeyValue("reason", text.toString(UTF_8))
          .log("gRPC connection closed after an internal error");
      text.clear();
    }
  }
}
