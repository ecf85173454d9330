package dev.hmacd.client;

import com.google.common.net.HostAndPort;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnixDomainSocketAddress;
import java.net.UnknownHostException;
import java.util.Arrays;
import java.util.List;

/// The address of a daemon. Its text is that of the settings.
sealed interface Target {
  /// Parses `host:port` or `unix:/absolute/path`.
  static Target parse(String target) {
    if (target.startsWith("unix:/")) {
      return new UnixSocket(UnixDomainSocketAddress.of(target.substring("unix:".length())));
    }
    try {
      HostAndPort name = HostAndPort.fromString(target).requireBracketsForIPv6();
      if (!name.getHost().isEmpty() && name.hasPort()) {
        return new HostPort(name);
      }
    } catch (IllegalArgumentException e) {
      // The exception below has the error message.
    }
    throw new IllegalArgumentException(
        "target must be host:port or unix:/absolute/path: " + target);
  }

  /// A daemon on the network.
  record HostPort(HostAndPort name) implements Target {
    /// The name that the daemon's certificate must have, with the port.
    String authority() {
      return name.toString();
    }

    /// Resolves all addresses of the name.
    List<InetSocketAddress> addresses() throws UnknownHostException {
      return Arrays.stream(InetAddress.getAllByName(name.getHost()))
          .map(address -> new InetSocketAddress(address, name.getPort()))
          .toList();
    }

    @Override
    public String toString() {
      return authority();
    }
  }

  /// A daemon on this machine, which identifies its callers by the socket's peer credentials.
  record UnixSocket(UnixDomainSocketAddress address) implements Target {
    @Override
    public String toString() {
      return "unix:" + address;
    }
  }
}
