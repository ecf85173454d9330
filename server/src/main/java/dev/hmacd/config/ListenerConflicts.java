package dev.hmacd.config;

import java.net.Inet4Address;
import java.net.Inet6Address;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.BiPredicate;
import java.util.function.Function;

/// Finds listeners of a configuration that need the same address or the same path.
final class ListenerConflicts {
  private ListenerConflicts() {}

  /// @param key the configuration key
  /// @param place the address or the path
  private record Listener<T>(String key, T place) {}

  /// Reports the conflicts as problems of the configuration keys of the later listeners.
  static void report(Section root, Config config) {
    List<Listener<InetSocketAddress>> tcp = new ArrayList<>();
    add(tcp, "grpc.listen", config.grpc().tcp().map(Config.TcpListener::listen));
    add(tcp, "aws_kms.listen", config.awsKms().map(Config.AwsKms::listen));
    add(tcp, "metrics.listen", config.metrics().flatMap(Config.Metrics::tcp));
    report(root, "address", tcp, ListenerConflicts::overlap, HostPort::text);
    List<Listener<Path>> unix = new ArrayList<>();
    add(unix, "grpc.unix_socket.path", config.grpc().unix().map(Config.UnixSocket::path));
    add(
        unix,
        "metrics.unix_socket.path",
        config.metrics().flatMap(Config.Metrics::unix).map(Config.UnixSocket::path));
    report(root, "path", unix, Path::equals, Path::toString);
  }

  private static <T> void add(List<Listener<T>> listeners, String key, Optional<T> place) {
    place.ifPresent(each -> listeners.add(new Listener<>(key, each)));
  }

  /// @param noun what the listeners must not share
  private static <T> void report(
      Section root,
      String noun,
      List<Listener<T>> listeners,
      BiPredicate<T, T> isConflict,
      Function<T, String> text) {
    for (int i = 1; i < listeners.size(); i++) {
      Listener<T> later = listeners.get(i);
      for (Listener<T> earlier : listeners.subList(0, i)) {
        if (isConflict.test(earlier.place(), later.place())) {
          root.problem(
              later.key(),
              "conflicts with "
                  + earlier.key()
                  + " ("
                  + text.apply(earlier.place())
                  + "); choose another "
                  + noun);
        }
      }
    }
  }

  /// Whether a socket on one address prevents a socket on the other. Each listener with port 0 gets
  /// a port of its own.
  private static boolean overlap(InetSocketAddress one, InetSocketAddress other) {
    return one.getPort() != 0
        && one.getPort() == other.getPort()
        && (one.equals(other) || includes(one, other) || includes(other, one));
  }

  /// Whether one address is a wildcard that includes the other. The IPv6 wildcard includes IPv4.
  private static boolean includes(InetSocketAddress wildcard, InetSocketAddress other) {
    return wildcard.getAddress().isAnyLocalAddress()
        && (wildcard.getAddress() instanceof Inet6Address
            || other.getAddress() instanceof Inet4Address);
  }
}
