package dev.hmacd.config;

import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/// Form of addresses in the configuration, in error texts and in the log: HOST:PORT, with an IPv6
/// address in brackets.
public final class HostPort {
  /// Zeros of an IPv6 address that `::` replaces (RFC 4291, section 2.2).
  private static final Pattern ZEROS = Pattern.compile("(?:^|:)0(?::0)+(?::|$)");

  private HostPort() {}

  /// Returns the address of a source without a slash; another owner of connections, such as a
  /// principal, as it is.
  public static Object source(Object owner) {
    return owner instanceof InetAddress address ? address.getHostAddress() : owner;
  }

  /// Returns HOST:PORT of a TCP address, the path of a Unix socket, and `unknown` without an
  /// address. Resolves no name.
  public static String text(@Nullable SocketAddress address) {
    if (!(address instanceof InetSocketAddress inet)) {
      return address == null ? "unknown" : address.toString();
    }
    String host = inet.getHostString();
    return (host.contains(":") ? "[" + ZEROS.matcher(host).replaceFirst("::") + "]" : host)
        + ":"
        + inet.getPort();
  }
}
