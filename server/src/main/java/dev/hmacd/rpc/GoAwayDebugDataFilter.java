package dev.hmacd.rpc;

import static java.nio.charset.StandardCharsets.UTF_8;

import io.netty.buffer.ByteBuf;
import io.netty.handler.codec.http2.Http2ConnectionAdapter;
import io.netty.handler.codec.http2.Http2Error;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Removes and logs the debug data of an outgoing GOAWAY frame after an internal error. The debug
/// data is the message of an unexpected exception.
final class GoAwayDebugDataFilter extends Http2ConnectionAdapter {
  private static final Logger log = LoggerFactory.getLogger(GoAwayDebugDataFilter.class);

  @Override
  public void onGoAwaySent(int lastStream, long error, ByteBuf debugData) {
    if (error == Http2Error.INTERNAL_ERROR.code()) {
      log.atDebug()
          .addKeyValue("reason", debugData.toString(UTF_8))
          .log("gRPC connection closed after an internal error");
      debugData.clear();
    }
  }
}
