package dev.hmacd.transport;

import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.channels.SocketChannel;

/// Tests whether the daemon can listen on a TCP address. The test binds a socket to the address
/// (bind(2)), but does not listen, so no client can connect.
public final class ListenTrial {
  private ListenTrial() {}

  /// Binds the address, and closes the socket again.
  ///
  /// @param key the configuration key of the address
  /// @throws ListenException if the daemon cannot listen on the address
  public static void run(String key, InetSocketAddress address) throws ListenException {
    try (SocketChannel socket = SocketChannel.open()) {
      // As the listeners do: the kernel refuses the address only if a process listens on it.
      socket.setOption(StandardSocketOptions.SO_REUSEADDR, true);
      socket.bind(address);
    } catch (IOException e) {
      throw ListenException.of(key, address, e);
    }
  }
}
