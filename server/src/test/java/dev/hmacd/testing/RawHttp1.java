package dev.hmacd.testing;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.net.SocketException;
import java.net.SocketTimeoutException;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import javax.net.ssl.SSLException;

/// A client that writes any bytes over HTTP/1.1, which a library would not send.
public final class RawHttp1 implements AutoCloseable {
  /// Timeout of an answer.
  private static final int LIMIT_MILLIS = Math.toIntExact(Eventually.LIMIT.toMillis());

  private final Socket socket;
  private final InputStream in;

  public RawHttp1(Socket socket) throws IOException {
    this.socket = socket;
    socket.setSoTimeout(LIMIT_MILLIS);
    socket.setTcpNoDelay(true);
    in = new BufferedInputStream(socket.getInputStream());
  }

  /// Connects without TLS.
  public static RawHttp1 to(int port) throws IOException {
    return new RawHttp1(new Socket(InetAddress.getLoopbackAddress(), port));
  }

  /// An answer.
  ///
  /// @param headers by names in lowercase
  public record Answer(int status, Map<String, String> headers, String body) {}

  public RawHttp1 write(byte... bytes) throws IOException {
    socket.getOutputStream().write(bytes);
    return this;
  }

  public RawHttp1 write(String text) throws IOException {
    return write(text.getBytes(ISO_8859_1));
  }

  /// Reads the next answer.
  ///
  /// @throws EOFException if the connection ends before the answer
  public Answer read() throws IOException {
    String[] status = line().split(" ", 3);
    Map<String, String> headers = new TreeMap<>();
    for (String line = line(); !line.isEmpty(); line = line()) {
      int colon = line.indexOf(':');
      String name = line.substring(0, colon).toLowerCase(Locale.ROOT);
      if (headers.put(name, line.substring(colon + 1).strip()) != null) {
        throw new IOException("twice: " + line);
      }
    }
    int length = Integer.parseInt(headers.getOrDefault("content-length", "0"));
    byte[] body = in.readNBytes(length);
    if (body.length < length) {
      throw new EOFException("after " + body.length + " of " + length + " bytes");
    }
    return new Answer(Integer.parseInt(status[1]), headers, new String(body, UTF_8));
  }

  /// Reads the status line of the next answer, and leaves the rest of the answer unread.
  public int readStatus() throws IOException {
    return Integer.parseInt(line().split(" ", 3)[1]);
  }

  private String line() throws IOException {
    var line = new ByteArrayOutputStream();
    for (int b = in.read(); b != '\n'; b = in.read()) {
      if (b < 0) {
        throw new EOFException("in a line: " + line);
      }
      line.write(b);
    }
    return line.toString(ISO_8859_1).stripTrailing();
  }

  /// Whether the peer closes the connection within the limit, without sending more bytes.
  public boolean isClosedByPeer() throws IOException {
    try {
      return in.read() < 0;
    } catch (SocketTimeoutException e) {
      return false;
    } catch (SocketException | SSLException e) {
      return true;
    }
  }

  /// Whether the peer closes the connection within the limit. Skips all bytes before.
  public boolean isEventuallyClosedByPeer() throws IOException {
    try {
      var _ = in.readAllBytes();
      return true;
    } catch (SocketTimeoutException e) {
      return false;
    } catch (SocketException e) {
      return true;
    }
  }

  @Override
  public void close() throws IOException {
    socket.close();
  }
}
