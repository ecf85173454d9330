package dev.hmacd.http;

import io.netty.channel.Channel;
import io.netty.channel.socket.DuplexChannel;
import io.netty.handler.ssl.SslHandler;
import java.util.concurrent.TimeUnit;

/// Lingering close of a connection after its last answer (RFC 9112, section 9.6).
final class LingeringClose {
  private LingeringClose() {}

  /// Closes the output of a connection, reads input for a limited time, and then closes the
  /// connection. A close with unread input makes the kernel send a TCP reset. After a TCP reset, a
  /// client that is still sending would lose the answer.
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
