package dev.hmacd.usecase;

import dev.hmacd.key.KeyAttributes.Unfit;
import dev.hmacd.key.KeyCheckValue;
import dev.hmacd.key.KeyId;
import dev.hmacd.key.KeySpec;
import dev.hmacd.log.LogRateLimiter;
import dev.hmacd.token.TokenException;
import dev.hmacd.token.TokenRouter;
import dev.hmacd.token.TokenSession;
import dev.hmacd.token.TokenSession.Query;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/// Finds the object that a key ceremony put on the tokens, for AdoptKey. Each token that has the
/// object computes a check value. The check values must be equal, because a MAC must not depend on
/// the selected token.
final class KeyAdoption {
  private static final int FIRST_VERSION = 1;
  private static final Logger log = LoggerFactory.getLogger(KeyAdoption.class);

  private final TokenRouter tokens;

  // One for each message: one call can cause several messages, and a caller can repeat a call.
  private final LogRateLimiter unfitObjects = new LogRateLimiter();
  private final LogRateLimiter differences = new LogRateLimiter();
  private final LogRateLimiter outages = new LogRateLimiter();
  private final LogRateLimiter idleUseKeys = new LogRateLimiter();

  KeyAdoption(TokenRouter tokens) {
    this.tokens = tokens;
  }

  /// An object that may be adopted.
  ///
  /// @param check the check value of the object
  /// @param tokenSerials the tokens with the object, one or more
  record Adoptable(TokenSession.Found found, KeyCheckValue check, List<String> tokenSerials) {}

  /// An object on one token that matches the query.
  ///
  /// @param check the check value that this token computed
  private record Candidate(String tokenSerial, TokenSession.Found found, KeyCheckValue check) {}

  /// Finds the object that matches a query. Each token must have at most one match. The attributes
  /// of the object must allow its use as a key. The check value must be the same on all tokens with
  /// the object.
  ///
  /// @param id id of the new key
  /// @return a future that can fail with a [Refusal], or with a [TokenException] if a token failed
  ///   and may have the object
  CompletableFuture<Adoptable> find(Call call, Query query, KeyId id, KeySpec spec) {
    List<CompletableFuture<Optional<Candidate>>> trials =
        tokens.serials().stream().map(serial -> candidate(call, serial, query, id, spec)).toList();
    return CompletableFuture.allOf(trials.toArray(CompletableFuture[]::new))
        .handle((_, _) -> combined(trials));
  }

  private CompletableFuture<Optional<Candidate>> candidate(
      Call call, String serial, Query query, KeyId id, KeySpec spec) {
    return tokens
        .submit(call.owner(), serial, session -> session.find(query), true, call.deadlineNanos())
        .thenApply(found -> only(found, spec))
        .thenCompose(
            found ->
                found.isPresent()
                    ? trial(call, serial, found.get(), id, spec).thenApply(Optional::of)
                    : CompletableFuture.completedFuture(Optional.<Candidate>empty()))
        .exceptionally(
            e -> {
              RuntimeException failure = failed(e, Optional.empty());
              logUnfit(serial, query, failure);
              throw failure;
            });
  }

  private static Optional<TokenSession.Found> only(List<TokenSession.Found> found, KeySpec spec) {
    // This check precedes the other checks, so that a caller learns nothing about the daemon's own
    // keys.
    if (found.stream().anyMatch(each -> each.object().isReserved())) {
      throw new Refusal(new Failure.ObjectReserved());
    }
    if (found.size() > 1) {
      throw new Refusal(new Failure.ObjectAmbiguous());
    }
    for (TokenSession.Found each : found) {
      each.unfit(spec.algorithm())
          .ifPresent(
              unfit -> {
                throw new Refusal(new Failure.ObjectUnfit(unfit));
              });
    }
    return found.stream().findFirst();
  }

  private CompletableFuture<Candidate> trial(
      Call call, String serial, TokenSession.Found found, KeyId id, KeySpec spec) {
    return tokens
        .submit(
            call.owner(),
            serial,
            session -> {
              byte[] mac =
                  session.signOnce(
                      found.object(), spec.algorithm(), KeyCheckValue.message(id, FIRST_VERSION));
              return new Candidate(
                  serial, found, KeyCheckValue.of(id, FIRST_VERSION, spec.algorithm(), mac));
            },
            true,
            call.deadlineNanos())
        .exceptionally(
            e -> {
              throw failed(e, Optional.of(found));
            });
  }

  private static String name(Query query) {
    return switch (query) {
      case Query.ByLabel(var label) -> "label " + label;
      case Query.ById(var idHex) -> "id " + idHex;
      case Query.ByBoth(var object) -> "label " + object.label() + ", id " + object.idHex();
    };
  }

  private void logUnfit(String serial, Query query, RuntimeException failure) {
    if (!(failure instanceof Refusal refusal
        && refusal.failure() instanceof Failure.ObjectUnfit(var unfit))) {
      return;
    }
    long times = unfitObjects.happened();
    if (times > 0) {
      log.atWarn()
          .addKeyValue("token_serial", serial)
          .addKeyValue("object", name(query))
          .addKeyValue("attribute", unfit.attribute())
          .addKeyValue("found", unfit.found())
          .addKeyValue("rule", unfit.rule())
          .addKeyValue("times", times)
          .log("Object not adopted: an attribute does not permit use as a key");
    }
  }

  /// Maps a failure of the token to a failure of the adoption. The failure is final: a lane has
  /// tried the operation twice, or has computed a MAC under another key. KEY_UNAVAILABLE does not
  /// apply, because the key does not exist yet. KEY_MISSING occurs if the object was removed after
  /// the search.
  ///
  /// @param found the refused object, for its attributes
  private static RuntimeException failed(Throwable e, Optional<TokenSession.Found> found) {
    if (FailureMapper.unwrap(e) instanceof Refusal refusal) {
      return refusal;
    }
    if (FailureMapper.unwrap(e) instanceof TokenException refused) {
      if (refused.kind() == TokenException.Kind.KEY_UNFIT && refused.unfit().isPresent()) {
        Unfit unfit = refused.unfit().get();
        return new Refusal(
            new Failure.ObjectUnfit(
                found.map(object -> unfit.orFound(object.value(unfit.attribute()))).orElse(unfit)));
      }
      if (refused.kind() == TokenException.Kind.KEY_MISSING) {
        return new Refusal(new Failure.ObjectNotFound());
      }
      if (refused.kind() == TokenException.Kind.KEY_AMBIGUOUS) {
        return new Refusal(new Failure.ObjectAmbiguous());
      }
    }
    return new CompletionException(FailureMapper.unwrap(e));
  }

  /// Combines the results of all tokens. Ignores a failed token if another token has the object.
  private Adoptable combined(List<CompletableFuture<Optional<Candidate>>> trials) {
    List<Candidate> all = new ArrayList<>();
    Throwable fault = null;
    for (CompletableFuture<Optional<Candidate>> trial : trials) {
      if (!trial.isCompletedExceptionally()) {
        trial.join().ifPresent(all::add);
        continue;
      }
      Throwable cause = FailureMapper.unwrap(trial.exceptionNow());
      if (cause instanceof Refusal refusal) {
        throw refusal;
      }
      if (!(cause instanceof TokenException e) || e.kind() != TokenException.Kind.UNAVAILABLE) {
        throw new CompletionException(cause); // A retry of the call may succeed.
      }
      fault = fault == null ? cause : fault;
    }
    if (all.isEmpty()) {
      throw fault == null
          ? new Refusal(new Failure.ObjectNotFound())
          : new CompletionException(fault);
    }
    long outageTimes = fault == null ? 0 : outages.happened();
    if (outageTimes > 0) {
      log.atWarn()
          .addKeyValue("times", outageTimes)
          .setCause(fault)
          .log("Key adopted while a token is out of service; run hmacd init after its return");
    }
    Candidate first = all.getFirst();
    for (Candidate other : all) {
      if (!other.found().object().equals(first.found().object())
          || !other.check().equals(first.check())) {
        logDifference(all);
        throw new Refusal(new Failure.ObjectAmbiguous());
      }
    }
    List<String> idleUses = first.found().use().idleUses();
    long idleUseTimes = idleUses.isEmpty() ? 0 : idleUseKeys.happened();
    if (idleUseTimes > 0) {
      log.atWarn()
          .addKeyValue("object_label", first.found().object().label())
          .addKeyValue("attributes", idleUses)
          .addKeyValue("times", idleUseTimes)
          .log(
              "Adopted key permits operations other than MACs; create keys without"
                  + " these attributes");
    }
    return new Adoptable(
        first.found(), first.check(), all.stream().map(Candidate::tokenSerial).toList());
  }

  private void logDifference(List<Candidate> all) {
    long times = differences.happened();
    if (times > 0) {
      log.atWarn()
          .addKeyValue("token_serials", all.stream().map(Candidate::tokenSerial).toList())
          .addKeyValue("times", times)
          .log("Object not adopted: its label, id or check value differs between tokens");
    }
  }
}
