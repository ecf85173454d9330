package dev.hmacd.command;

import dev.hmacd.Daemon;
import dev.hmacd.ExitCode;
import dev.hmacd.StartException;
import dev.hmacd.access.Principal;
import dev.hmacd.key.AccessKey;
import dev.hmacd.usecase.AccessKeyService;
import dev.hmacd.usecase.AccessKeyService.Made;
import dev.hmacd.usecase.Call;
import dev.hmacd.usecase.Failure;
import dev.hmacd.usecase.Page;
import dev.hmacd.usecase.PageRequest;
import dev.hmacd.usecase.PagedList;
import dev.hmacd.usecase.Reauthorization;
import dev.hmacd.usecase.Refusal;
import dev.hmacd.usecase.Reply;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Consumer;
import java.util.function.Function;

/// The access keys of `hmacd dev`: one with all rights, one without rights. Each start creates new
/// access keys, because the daemon shows a secret only once, and deletes those of the previous
/// start.
///
/// @param admin the access key of the principal [#ADMIN]
/// @param nobody the access key of the principal [#NOBODY]
record DevAccessKeys(Shown admin, Shown nobody) {
  /// An access key and its secret, for the file that users source.
  record Shown(String id, String secret) {
    static Shown of(Made made) {
      return new Shown(made.key().id(), new String(made.secretText(), StandardCharsets.US_ASCII));
    }

    @Override
    public String toString() {
      return id;
    }
  }

  static final String ACCOUNT = "000000000000";
  static final String REGION = "us-east-1";

  /// The principal that may administer and use every key.
  static final String ADMIN = "arn:aws:iam::" + ACCOUNT + ":user/dev";

  /// The principal without rights, for tests of refusals.
  static final String NOBODY = "arn:aws:iam::" + ACCOUNT + ":user/nobody";

  private static final Duration LIMIT = Duration.ofSeconds(10);

  /// The page with all access keys of a previous start.
  private static final PageRequest ALL =
      new PageRequest(PagedList.ACCESS_KEYS, "", PagedList.ACCESS_KEYS.maxSize(), "");

  static DevAccessKeys make(Daemon daemon) throws StartException, InterruptedException {
    AccessKeyService service = daemon.useCases().accessKeys();
    var call =
        Call.ofDaemon(
            Principal.spiffe(DevCertificates.CLIENT), System.nanoTime() + LIMIT.toNanos());
    Page<AccessKey> before =
        await(reply -> service.listAccessKeys(call, ALL, reply), Function.identity());
    for (AccessKey key : before.items()) {
      if (List.of(ADMIN, NOBODY).contains(key.principal())) {
        String _ = await(reply -> service.deleteAccessKey(call, key.id(), reply), AccessKey::id);
      }
    }
    return new DevAccessKeys(
        await(reply -> service.createAccessKey(call, ADMIN, reply), Shown::of),
        await(reply -> service.createAccessKey(call, NOBODY, reply), Shown::of));
  }

  /// @param read extracts the result from the value of the reply, which is valid only during the
  ///   call of `read`
  private static <T, R> R await(Consumer<Reply<T>> work, Function<T, R> read)
      throws StartException, InterruptedException {
    var result = new CompletableFuture<R>();
    work.accept(
        new Reply<>() {
          @Override
          public void succeed(T value, Reauthorization check) {
            result.complete(read.apply(value));
          }

          @Override
          public void fail(Failure failure, Reauthorization check) {
            result.completeExceptionally(new Refusal(failure));
          }
        });
    try {
      return result.get(2 * LIMIT.toSeconds(), TimeUnit.SECONDS);
    } catch (ExecutionException | TimeoutException e) {
      throw new StartException("cannot create access keys: " + e, ExitCode.TEMPORARY, e);
    }
  }
}
