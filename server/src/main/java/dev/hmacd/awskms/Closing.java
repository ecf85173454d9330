package dev.hmacd.awskms;

import io.netty.channel.Channel;
import io.netty.channel.socket.DuplexChannel;
import io.netty.handler.ssl.SslHandler;
import java.util.concurrent.TimeUnit;

/// How a connection ends after its last answer.
final class Closing {
  private Closing() {}

  /// Says that nothing more comes, and goes on reading for a while: closed with bytes unread, the
  /// kernel would send a reset, which takes the answer away from a client that is still sending.
  static void lingering(Channel channel, long millis) {
    SslHandler tls = channel.pipeline().get(SslHandler.class);
    if (tls != null) {
      var _ = tls.closeOutbound();
    } else if (channel instanceof DuplexChannel duplex) {
      var _ = duplex.shutdownOutput();
    }
    var _ =
        channel
            .eventLoop()
            .schedule(
                () -> {
                  var _ = channel.close();
                },
                millis,
                TimeUnit.MILLISECONDS);
  }
}
