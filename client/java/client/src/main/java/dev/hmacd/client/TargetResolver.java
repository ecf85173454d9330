package dev.hmacd.client;

import static java.util.Objects.requireNonNull;

import io.grpc.EquivalentAddressGroup;
import io.grpc.NameResolver;
import io.grpc.NameResolverProvider;
import io.grpc.Status;
import io.grpc.StatusOr;
import io.grpc.SynchronizationContext;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.URI;
import java.net.UnknownHostException;
import java.util.Collection;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Executor;
import org.jspecify.annotations.Nullable;

/// gRPC name resolver that resolves all addresses of one target. TLS verifies the daemon's
/// certificate for the name of the target. gRPC's own resolver of names also reads settings of
/// proxies from the environment.
///
/// gRPC resolves the name again when a connection breaks. The JDK's DNS cache limits the cost.
final class TargetResolver extends NameResolverProvider {
  /// The target URI of the channel, without the name.
  static final String CHANNEL_TARGET = "hmacd:///";

  private final Target.HostPort target;

  TargetResolver(Target.HostPort target) {
    this.target = target;
  }

  @Override
  public NameResolver newNameResolver(URI uri, NameResolver.Args args) {
    return new Resolver(args);
  }

  @Override
  public String getDefaultScheme() {
    return "hmacd";
  }

  @Override
  public Collection<Class<? extends SocketAddress>> getProducedSocketAddressTypes() {
    return Set.of(InetSocketAddress.class);
  }

  @Override
  protected boolean isAvailable() {
    return true;
  }

  @Override
  protected int priority() {
    return 5;
  }

  private StatusOr<List<EquivalentAddressGroup>> resolve() {
    try {
      return StatusOr.fromValue(
          target.addresses().stream()
              .map(address -> new EquivalentAddressGroup((SocketAddress) address))
              .toList());
    } catch (UnknownHostException e) {
      return StatusOr.fromStatus(
          Status.UNAVAILABLE.withDescription("unknown host: " + target.authority()));
    }
  }

  /// Used only within the channel's synchronization context, except for the name lookup.
  private final class Resolver extends NameResolver {
    private final SynchronizationContext context;
    private final Executor executor;
    private @Nullable Listener2 listener;
    private boolean resolving;

    Resolver(Args args) {
      this.context = args.getSynchronizationContext();
      // A channel always has an offload executor. The type is nullable for resolvers outside of a
      // channel.
      this.executor = requireNonNull(args.getOffloadExecutor());
    }

    @Override
    public String getServiceAuthority() {
      return target.authority();
    }

    @Override
    public void start(Listener2 listener) {
      this.listener = listener;
      refresh();
    }

    @Override
    public void refresh() {
      if (resolving) {
        return;
      }
      resolving = true;
      executor.execute(
          () -> {
            StatusOr<List<EquivalentAddressGroup>> addresses = resolve();
            context.execute(() -> resolved(addresses));
          });
    }

    @Override
    public void shutdown() {
      listener = null;
    }

    private void resolved(StatusOr<List<EquivalentAddressGroup>> addresses) {
      resolving = false;
      if (listener != null) {
        listener.onResult2(ResolutionResult.newBuilder().setAddressesOrError(addresses).build());
      }
    }
  }
}
