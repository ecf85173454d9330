package dev.hmacd.command;

import io.netty.channel.epoll.Epoll;
import io.netty.channel.unix.Socket;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Notifies systemd of the daemon's state (sd_notify(3)). Does nothing if systemd did not start the
/// daemon.
final class SystemdNotify {
  private static final Logger log = LoggerFactory.getLogger(SystemdNotify.class);

  private SystemdNotify() {}

  static void send(String state) {
    String path = System.getenv("NOTIFY_SOCKET");
    if (path == null || path.isEmpty()) {
      return;
    }
    // In the name of an abstract socket, @ stands for the first byte, which is 0.
    String address = path.startsWith("@") ? "\0" + path.substring(1) : path;
    byte[] bytes = state.getBytes(StandardCharsets.UTF_8);
    ByteBuffer datagram = ByteBuffer.allocateDirect(bytes.length).put(bytes);
    try {
      Epoll.ensureAvailability();
      // Netty's socket is used, because the JDK has no Unix datagram sockets.
      Socket socket = Socket.newSocketDomainDgram();
      try {
        int sent =
            socket.sendToDomainSocket(
                datagram, 0, bytes.length, address.getBytes(StandardCharsets.UTF_8));
        if (sent != bytes.length) {
          log.atWarn().addKeyValue("state", state).log("systemd did not accept the notification");
        }
      } finally {
        socket.close();
      }
    } catch (IOException | LinkageError e) {
      log.atWarn().addKeyValue("state", state).setCause(e).log("systemd not notified");
    }
  }
}
