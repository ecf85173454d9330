package dev.hmacd.client;

import static java.nio.charset.StandardCharsets.ISO_8859_1;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.file.Path;

/// A server that is not a daemon: it answers the first bytes of each connection with the same text,
/// and then reads until the client closes the connection.
public final class RawServer implements AutoCloseable {
  /// The answer of a server that speaks HTTP/1.1.
  public static final String BAD_REQUEST =
      "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

  private final ServerSocketChannel listener;
  private final String answer;

  private RawServer(ServerSocketChannel listener, SocketAddress address, String answer)
      throws IOException {
    this.listener = listener.bind(address);
    this.answer = answer;
    var thread = new Thread(this::serve, "raw-server");
    thread.setDaemon(true);
    thread.start();
  }

  /// On a free port of the loopback interface.
  public static RawServer overTcp(String answer) {
    try {
      return new RawServer(
          ServerSocketChannel.open(),
          new InetSocketAddress(InetAddress.getLoopbackAddress(), 0),
          answer);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  public static RawServer overUnixSocket(Path socket, String answer) {
    try {
      return new RawServer(
          ServerSocketChannel.open(StandardProtocolFamily.UNIX),
          UnixDomainSocketAddress.of(socket),
          answer);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /// The target for a client.
  public String target() {
    try {
      return listener.getLocalAddress() instanceof InetSocketAddress tcp
          ? "127.0.0.1:" + tcp.getPort()
          : "unix:" + listener.getLocalAddress();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private void serve() {
    while (listener.isOpen()) {
      try (SocketChannel connection = listener.accept()) {
        ByteBuffer received = ByteBuffer.allocate(16 << 10);
        if (connection.read(received) > 0) {
          ByteBuffer bytes = ByteBuffer.wrap(answer.getBytes(ISO_8859_1));
          while (bytes.hasRemaining()) {
            connection.write(bytes);
          }
        }
        do {
          received.clear();
        } while (connection.read(received) >= 0);
      } catch (IOException e) {
        // The client has reset the connection, or the listener is closed.
      }
    }
  }

  @Override
  public void close() {
    try {
      listener.close();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
