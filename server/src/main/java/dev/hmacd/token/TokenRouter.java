package dev.hmacd.token;

import com.google.errorprone.annotations.ThreadSafe;
import dev.hmacd.key.KeyObject;
import dev.hmacd.limit.Owner;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Routes work to the tokens of a pool: load balancing and failover of MACs.
///
/// A MAC goes to the token with the fewest calls in flight, among the tokens in service that hold
/// its key. If a token fails, the MAC goes to the next token that holds its key, within the
/// deadline. An operation that changes a token goes only to the token that its caller names.
@ThreadSafe
@SuppressWarnings("ThreadSafe") // Its parts are thread-safe.
public final class TokenRouter {
  private static final Logger log = LoggerFactory.getLogger(TokenRouter.class);

  private final TokenPool pool;
  private final List<Route> routes;

  /// The lanes of the default token.
  private final Lanes defaultLanes;

  /// Logged keys whose tokens are not in the configuration.
  private final LoggedKeyFaults withoutToken = new LoggedKeyFaults();

  public TokenRouter(TokenPool pool) {
    this.pool = pool;
    routes = pool.members().stream().map(member -> new Route(member, new TokenLoad())).toList();
    defaultLanes = pool.members().getFirst().lanes();
  }

  /// A token with its load-balancing state.
  record Route(TokenPool.Member member, TokenLoad load) {}

  /// Serial numbers, in the order of the configuration.
  public List<String> serials() {
    return pool.serials();
  }

  /// The default token for new keys.
  public String defaultSerial() {
    return pool.members().getFirst().serial();
  }

  public boolean has(String serial) {
    return pool.find(serial).isPresent();
  }

  public boolean isInService(String serial) {
    return pool.find(serial).map(TokenPool.Member::isInService).orElse(false);
  }

  /// Computes a MAC on one of the tokens that hold a key. Returns at once; `completion` gets the
  /// outcome.
  ///
  /// @param holders serial numbers of the tokens that hold the key
  /// @param completion gets the MAC or the failure
  public void sign(List<String> holders, SignRequest request, Completion<byte[]> completion) {
    if (routes.size() > 1) {
      var failover = new Failover(routes, holders, request, completion);
      if (failover.hasNext()) {
        failover.next();
      } else {
        completion.failed(withoutToken(request.key(), holders));
      }
    } else if (holders.contains(defaultSerial())) {
      defaultLanes.sign(request, completion);
    } else {
      completion.failed(withoutToken(request.key(), holders));
    }
  }

  private TokenException withoutToken(KeyObject key, List<String> holders) {
    if (withoutToken.add(key)) {
      log.atWarn()
          .addKeyValue("object_label", key.label())
          .addKeyValue("object_id", key.idHex())
          .addKeyValue("token_serials", holders)
          .log("Key not usable: its tokens are not in the configuration");
    }
    return new TokenException(
        TokenException.Kind.KEY_MISSING, "none of the key's tokens is in the configuration");
  }

  /// Queues an operation for the token with a serial number.
  ///
  /// @param repeatable whether a lane may repeat the work after a fault of the token
  public <T> CompletableFuture<T> submit(
      String serial, TokenWork<T> work, boolean repeatable, long deadlineNanos) {
    return submit(Owner.DAEMON, serial, work, repeatable, deadlineNanos);
  }

  /// As [#submit(String, TokenWork, boolean, long)], but for a principal.
  ///
  /// @param owner as [Completion#owner]
  public <T> CompletableFuture<T> submit(
      Owner owner, String serial, TokenWork<T> work, boolean repeatable, long deadlineNanos) {
    return pool.find(serial)
        .map(member -> member.lanes().submit(owner, work, repeatable, deadlineNanos))
        .orElseGet(
            () ->
                CompletableFuture.failedFuture(
                    new TokenException(
                        TokenException.Kind.UNAVAILABLE,
                        "no token with the serial number " + serial + " is configured")));
  }

  /// Queues an operation for the first token. If a token fails, queues the operation for the next
  /// token, until a token succeeds or no token is left.
  ///
  /// @param owner as [Completion#owner]
  public <T> CompletableFuture<T> submitAny(Owner owner, TokenWork<T> work, long deadlineNanos) {
    return submitAny(owner, work, deadlineNanos, 0);
  }

  private <T> CompletableFuture<T> submitAny(
      Owner owner, TokenWork<T> work, long deadlineNanos, int index) {
    CompletableFuture<T> outcome =
        routes.get(index).member().lanes().submit(owner, work, true, deadlineNanos);
    return index + 1 == routes.size()
        ? outcome
        : outcome.exceptionallyCompose(
            failure ->
                isOfTheToken(failure)
                    ? submitAny(owner, work, deadlineNanos, index + 1)
                    : CompletableFuture.failedFuture(failure));
  }

  /// Whether a failure is a fault of one token, so that a retry on another token can succeed.
  private static boolean isOfTheToken(Throwable failure) {
    Throwable cause = failure instanceof CompletionException ? failure.getCause() : failure;
    return cause instanceof TokenException token
        && switch (token.kind()) {
          case LATE, STOPPED, WITHDRAWN -> false;
          case BUSY,
              OWNER_BUSY,
              UNAVAILABLE,
              KEY_MISSING,
              KEY_AMBIGUOUS,
              KEY_UNFIT,
              UNSUPPORTED,
              MESSAGE_TOO_LONG ->
              true;
        };
  }

  /// Makes the lanes of a token unload their handles of a key ([Lanes#evict]). Removes the key from
  /// the token's negative cache.
  public void evict(String serial, KeyObject key) {
    for (Route route : routes) {
      if (route.member().serial().equals(serial)) {
        route.member().lanes().evict(key);
        route.load().found(key);
      }
    }
  }
}
