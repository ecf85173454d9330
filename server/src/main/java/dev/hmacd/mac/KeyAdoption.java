package dev.hmacd.mac;

import dev.hmacd.key.KeySpec;
import dev.hmacd.token.TokenException;
import dev.hmacd.token.TokenSession;
import dev.hmacd.token.TokenSession.Query;
import dev.hmacd.token.Tokens;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Finds the object that a key ceremony put on the tokens, and tries it on each that has it: the
/// same name has to be the same key everywhere, or MACs would depend on the token that was asked.
final class KeyAdoption {
  private static final byte[] TRIAL = "hmacd adoption".getBytes(StandardCharsets.UTF_8);
  private static final Logger log = LoggerFactory.getLogger(KeyAdoption.class);

  private final Tokens tokens;

  KeyAdoption(Tokens tokens) {
    this.tokens = tokens;
  }

  /// What may be adopted.
  ///
  /// @param tokenSerials the tokens that have it, one or more
  record Adoptable(TokenSession.Found found, List<String> tokenSerials) {}

  /// What one token has.
  ///
  /// @param mac of [#TRIAL], in hexadecimal digits
  private record Tried(String tokenSerial, TokenSession.Found found, String mac) {}

  /// The object that fits a query. It must have the attributes of a key that may be used, be the
  /// only one of each token that fits, and give the same MAC on all that have it.
  ///
  /// @return fails with a [Refusal], or with a [TokenException] when a token that failed may be the
  ///   one that has it
  CompletableFuture<Adoptable> find(Query query, KeySpec spec, long deadlineNanos) {
    List<CompletableFuture<Optional<Tried>>> trials =
        tokens.serials().stream().map(serial -> tried(serial, query, spec, deadlineNanos)).toList();
    return CompletableFuture.allOf(trials.toArray(CompletableFuture[]::new))
        .handle((_, _) -> judged(trials));
  }

  private CompletableFuture<Optional<Tried>> tried(
      String serial, Query query, KeySpec spec, long deadlineNanos) {
    return tokens
        .submit(serial, session -> session.find(query), true, deadlineNanos)
        .thenApply(KeyAdoption::only)
        .thenCompose(
            found ->
                found.isPresent()
                    ? trial(serial, found.get(), spec, deadlineNanos).thenApply(Optional::of)
                    : CompletableFuture.completedFuture(Optional.<Tried>empty()))
        .exceptionally(
            e -> {
              throw failed(e);
            });
  }

  private static Optional<TokenSession.Found> only(List<TokenSession.Found> found) {
    // First of all, so that nothing about the daemon's own keys can be learned.
    if (found.stream().anyMatch(each -> each.object().isReserved())) {
      throw new Refusal(new Failure.ObjectReserved());
    }
    if (found.size() > 1) {
      throw new Refusal(new Failure.ObjectAmbiguous());
    }
    for (TokenSession.Found each : found) {
      each.attributes()
          .unfit()
          .ifPresent(
              unfit -> {
                throw new Refusal(new Failure.ObjectUnfit(unfit));
              });
    }
    return found.stream().findFirst();
  }

  private CompletableFuture<Tried> trial(
      String serial, TokenSession.Found found, KeySpec spec, long deadlineNanos) {
    return tokens.submit(
        serial,
        session -> {
          long handle = session.load(found.object());
          try {
            byte[] mac = session.sign(handle, spec.algorithm(), TRIAL);
            return new Tried(serial, found, HexFormat.of().formatHex(mac));
          } finally {
            session.unload(handle);
          }
        },
        true,
        deadlineNanos);
  }

  /// A lane that failed has tried twice, so what the token said of the key holds. There is no key
  /// yet that could be unavailable: what was found may have gone meanwhile.
  private static RuntimeException failed(Throwable e) {
    if (Failures.unwrap(e) instanceof TokenException refused) {
      if (refused.unfit().isPresent()) {
        return new Refusal(new Failure.ObjectUnfit(refused.unfit().get()));
      }
      if (refused.kind() == TokenException.Kind.KEY_MISSING) {
        return new Refusal(new Failure.ObjectNotFound());
      }
      if (refused.kind() == TokenException.Kind.KEY_AMBIGUOUS) {
        return new Refusal(new Failure.ObjectAmbiguous());
      }
    }
    return new CompletionException(Failures.unwrap(e));
  }

  /// What all tokens together say. A token that failed is left out when another has the key.
  private static Adoptable judged(List<CompletableFuture<Optional<Tried>>> trials) {
    List<Tried> all = new ArrayList<>();
    Throwable fault = null;
    for (CompletableFuture<Optional<Tried>> trial : trials) {
      if (!trial.isCompletedExceptionally()) {
        trial.join().ifPresent(all::add);
        continue;
      }
      Throwable cause = Failures.unwrap(trial.exceptionNow());
      if (cause instanceof Refusal refusal) {
        throw refusal;
      }
      if (!(cause instanceof TokenException e) || e.kind() != TokenException.Kind.UNAVAILABLE) {
        throw new CompletionException(cause); // Asked a second time, it may have an answer.
      }
      fault = fault == null ? cause : fault;
    }
    if (all.isEmpty()) {
      throw fault == null
          ? new Refusal(new Failure.ObjectNotFound())
          : new CompletionException(fault);
    }
    if (fault != null) {
      log.atWarn()
          .setCause(fault)
          .log("A key is adopted while a token cannot be asked for it; hmacd init asks again");
    }
    Tried first = all.getFirst();
    for (Tried other : all) {
      if (!other.found().object().equals(first.found().object())
          || !other.mac().equals(first.mac())) {
        log.atWarn()
            .addKeyValue("token_serials", all.stream().map(Tried::tokenSerial).toList())
            .log("Not adopted: the tokens have different keys of one name");
        throw new Refusal(new Failure.ObjectAmbiguous());
      }
    }
    return new Adoptable(first.found(), all.stream().map(Tried::tokenSerial).toList());
  }
}
