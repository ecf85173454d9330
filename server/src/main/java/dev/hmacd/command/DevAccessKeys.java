package dev.hmacd.command;

import dev.hmacd.Daemon;
import dev.hmacd.StartException;
import dev.hmacd.access.Principal;
import dev.hmacd.key.AccessKey;
import dev.hmacd.mac.AccessKeyService;
import dev.hmacd.mac.AccessKeyService.Made;
import dev.hmacd.mac.Caller;
import dev.hmacd.mac.Failure;
import dev.hmacd.mac.Page;
import dev.hmacd.mac.PageRequest;
import dev.hmacd.mac.Refusal;
import dev.hmacd.mac.Reply;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;
import java.util.function.Function;

/// The access keys of `hmacd dev`: one that may do everything, one that may do nothing. A secret is
/// shown once, so each start makes them anew, and deletes those of the start before.
///
/// @param admin of [#ADMIN]
/// @param nobody of [#NOBODY]
record DevAccessKeys(Shown admin, Shown nobody) {
  /// An access key, for the file that says how to use it.
  record Shown(String id, String secret) {
    static Shown of(Made made) {
      return new Shown(
          made.key().id(), new String(made.secret().text(), StandardCharsets.US_ASCII));
    }

    @Override
    public String toString() {
      return id;
    }
  }

  static final String ACCOUNT = "000000000000";
  static final String REGION = "us-east-1";

  /// May administer and use every key.
  static final String ADMIN = "arn:aws:iam::" + ACCOUNT + ":user/dev";

  /// Is there for tests of refusal.
  static final String NOBODY = "arn:aws:iam::" + ACCOUNT + ":user/nobody";

  private static final Duration LIMIT = Duration.ofSeconds(10);
  private static final int PAGE = 1000;

  static DevAccessKeys make(Daemon daemon) throws StartException, InterruptedException {
    AccessKeyService service = daemon.useCases().accessKeys();
    var caller =
        new Caller(Principal.spiffe(DevCertificates.CLIENT), System.nanoTime() + LIMIT.toNanos());
    Page<AccessKey> before =
        await(
            reply ->
                service.listAccessKeys(caller, new PageRequest("access keys", PAGE, ""), reply),
            Function.identity());
    for (AccessKey key : before.items()) {
      if (List.of(ADMIN, NOBODY).contains(key.principal())) {
        String _ =
            await(reply -> service.deleteAccessKey(caller, key.id(), reply), AccessKey::id);
      }
    }
    return new DevAccessKeys(
        await(reply -> service.createAccessKey(caller, ADMIN, reply), Shown::of),
        await(reply -> service.createAccessKey(caller, NOBODY, reply), Shown::of));
  }

  /// @param read takes what is wanted of an outcome, while it is there
  private static <T, R> R await(Consumer<Reply<T>> call, Function<T, R> read)
      throws StartException, InterruptedException {
    var result = new CompletableFuture<R>();
    call.accept(
        new Reply<>() {
          @Override
          public void succeed(T value) {
            result.complete(read.apply(value));
          }

          @Override
          public void fail(Failure failure) {
            result.completeExceptionally(new Refusal(failure));
          }
        });
    try {
      return result.get(2 * LIMIT.toSeconds(), TimeUnit.SECONDS);
    } catch (ExecutionException | TimeoutException e) {
      throw new StartException("cannot make access keys: " + e, StartException.TEMPORARY, e);
    }
  }
}
