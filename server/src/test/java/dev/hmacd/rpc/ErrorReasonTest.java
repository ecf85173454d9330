package dev.hmacd.rpc;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.protobuf.Duration;
import com.google.rpc.ErrorInfo;
import com.google.rpc.RequestInfo;
import com.google.rpc.RetryInfo;
import com.google.rpc.Status;
import dev.hmacd.access.Action;
import dev.hmacd.access.Decision;
import dev.hmacd.access.Principal;
import dev.hmacd.key.Alias;
import dev.hmacd.key.KeyAttributes;
import dev.hmacd.key.KeyId;
import dev.hmacd.key.KeySpec;
import dev.hmacd.key.KeyState;
import dev.hmacd.key.MacAlgorithm;
import dev.hmacd.usecase.Failure;
import dev.hmacd.v1.ErrorReason;
import io.grpc.Status.Code;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import java.io.IOException;
import java.lang.reflect.RecordComponent;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// Each error of the daemon has the status code, the metadata keys and the permission of a retry of
/// its reason in `error_reason.proto`.
final class ErrorReasonTest {
  private static final Path CONTRACT = Path.of("../proto/hmacd/v1/error_reason.proto");
  private static final Pattern ENTRY =
      Pattern.compile("((?:  // .*\\n)+)  ERROR_REASON_([A-Z_]+) = \\d+;");

  /// Marks a reason after which a client may repeat the request by itself.
  private static final String RETRY_MARK = "[retry]";

  /// The status codes that retry policies of gRPC commonly name.
  private static final Set<Code> COMMONLY_RETRIED =
      EnumSet.of(
          Code.UNAVAILABLE,
          Code.RESOURCE_EXHAUSTED,
          Code.DEADLINE_EXCEEDED,
          Code.INTERNAL,
          Code.UNKNOWN,
          Code.ABORTED,
          Code.CANCELLED);

  private static final Pattern KEYS = Pattern.compile("\\(([a-z_]+(?:, [a-z_]+)*)\\)");

  private static final String REQUEST_ID = "0b0c0d0e-0000-4000-8000-000000000001";

  /// A sample value for each component type of a failure.
  private static final Map<Class<?>, Object> SAMPLES =
      Map.ofEntries(
          Map.entry(String.class, "sample"),
          Map.entry(int.class, 50),
          Map.entry(long.class, 51L),
          Map.entry(Principal.class, Principal.commonName("sample")),
          Map.entry(Action.class, Action.GENERATE_MAC),
          Map.entry(Alias.class, new Alias("alias/sample")),
          Map.entry(KeyId.class, KeyId.random()),
          Map.entry(KeyState.class, KeyState.CREATING),
          Map.entry(KeySpec.class, KeySpec.HMAC_256),
          Map.entry(MacAlgorithm.class, MacAlgorithm.HMAC_SHA_512),
          Map.entry(KeyAttributes.Unfit.class, new KeyAttributes.Unfit("CKA_SIGN", "must be true")),
          Map.entry(Decision.Denied.class, Decision.NO_RULE),
          Map.entry(Failure.Bound.class, Failure.Bound.OF_CALLER),
          Map.entry(Throwable.class, new IllegalStateException("not for callers")));

  /// The status code and the metadata keys of a reason in the contract, and whether the contract
  /// permits a retry.
  private record Entry(String code, Set<String> keys, boolean isRetryable) {}

  private static final Map<String, Entry> ENTRIES = new HashMap<>();

  @BeforeAll
  static void readContract() throws IOException {
    Matcher entry = ENTRY.matcher(Files.readString(CONTRACT));
    while (entry.find()) {
      String comment = entry.group(1).replaceAll("\\s*// ", " ").strip();
      Set<String> keys = new TreeSet<>();
      KEYS.matcher(comment)
          .results()
          .forEach(found -> keys.addAll(List.of(found.group(1).split(", ", -1))));
      ENTRIES.put(
          entry.group(2), new Entry(comment.split(":", 2)[0], keys, comment.contains(RETRY_MARK)));
    }
  }

  static List<Class<?>> failures() {
    return List.of(Failure.class.getPermittedSubclasses());
  }

  @Test
  void eachReasonOfTheContractIsSentForExactlyOneFailure() {
    Set<String> contract =
        EnumSet.complementOf(
                EnumSet.of(ErrorReason.ERROR_REASON_UNSPECIFIED, ErrorReason.UNRECOGNIZED))
            .stream()
            .map(reason -> reason.name().substring("ERROR_REASON_".length()))
            .collect(Collectors.toSet());
    assertThat(failures().stream().map(type -> sample(type).reason()))
        .containsExactlyInAnyOrderElementsOf(contract);
  }

  @ParameterizedTest
  @MethodSource("failures")
  void codeAndMetadataMatchTheContract(Class<?> type) {
    Failure failure = sample(type);
    Statuses.StatusWithTrailers ending = Statuses.of(failure, REQUEST_ID);
    Entry entry = ENTRIES.get(failure.reason());
    assertThat(entry).as(failure.reason()).isNotNull();
    assertThat(ending.status().getCode().name()).isEqualTo(entry.code());
    ErrorInfo info = info(ending);
    assertThat(info.getReason()).isEqualTo(failure.reason());
    assertThat(info.getDomain()).isEqualTo("hmacd.dev");
    assertThat(info.getMetadataMap().keySet()).isEqualTo(entry.keys());
  }

  @ParameterizedTest
  @MethodSource("failures")
  void retryIsPermittedForExactlyTheMarkedReasonsOfTheContract(Class<?> type) {
    Failure failure = sample(type);
    Entry entry = ENTRIES.get(failure.reason());
    assertThat(entry).as(failure.reason()).isNotNull();
    assertThat(retryInfo(Statuses.of(failure, REQUEST_ID)).isPresent())
        .as(failure.reason())
        .isEqualTo(entry.isRetryable());
  }

  /// gRPC counts a pushback against the retry throttling of a client, so other codes have none.
  @ParameterizedTest
  @MethodSource("failures")
  void pushbackForbidsExactlyTheRetriesThatAPolicyWouldAttempt(Class<?> type) {
    Statuses.StatusWithTrailers ending = Statuses.of(sample(type), REQUEST_ID);
    boolean isRepeatedByPolicies = COMMONLY_RETRIED.contains(ending.status().getCode());
    assertThat(ending.trailers().get(Retry.PUSHBACK))
        .isEqualTo(isRepeatedByPolicies && retryInfo(ending).isEmpty() ? "-1" : null);
  }

  @ParameterizedTest
  @MethodSource("failures")
  void delayOfARetryIsConstantAndShort(Class<?> type) {
    Failure failure = sample(type);
    Optional<RetryInfo> first = retryInfo(Statuses.of(failure, REQUEST_ID));
    assertThat(retryInfo(Statuses.of(failure, "another"))).isEqualTo(first);
    first.ifPresent(
        info -> {
          Duration delay = info.getRetryDelay();
          long millis = delay.getSeconds() * 1000 + delay.getNanos() / 1_000_000;
          assertThat(millis).isBetween(0L, 1000L);
          assertThat(millis == 0).isEqualTo(Retry.of(failure) == Retry.AT_ONCE);
        });
  }

  @ParameterizedTest
  @MethodSource("failures")
  void errorTextHasNoInternalDetails(Class<?> type) {
    assertThat(Statuses.of(sample(type), REQUEST_ID).status().getDescription())
        .isNotBlank()
        .doesNotContain("not for callers", "Exception", "CKR_", "dev.hmacd");
  }

  /// The client can act only if the bound is its own.
  @Test
  void errorTextNamesTheClientAtItsOwnBound() {
    for (Function<Failure.Bound, Failure> kind :
        List.<Function<Failure.Bound, Failure>>of(
            Failure.TokenBusy::new, Failure.RegistryBusy::new, Failure.MemoryBusy::new)) {
      Failure all = kind.apply(Failure.Bound.OF_ALL);
      Failure one = kind.apply(Failure.Bound.OF_CALLER);
      Statuses.StatusWithTrailers ofAll = Statuses.of(all, REQUEST_ID);
      Statuses.StatusWithTrailers ofCaller = Statuses.of(one, REQUEST_ID);
      assertThat(one.reason()).isEqualTo(all.reason());
      assertThat(ofAll.status().getDescription()).doesNotContain("this client");
      assertThat(ofCaller.status().getDescription())
          .contains("of this client", "before you send more");
    }
  }

  private static ErrorInfo info(Statuses.StatusWithTrailers ending) {
    Status status = details(ending);
    assertThat(status.getDetailsList()).hasSize(retryInfo(ending).isPresent() ? 3 : 2);
    try {
      assertThat(status.getDetails(1).unpack(RequestInfo.class).getRequestId())
          .isEqualTo(REQUEST_ID);
      return status.getDetails(0).unpack(ErrorInfo.class);
    } catch (IOException e) {
      throw new AssertionError("not an ErrorInfo", e);
    }
  }

  private static Optional<RetryInfo> retryInfo(Statuses.StatusWithTrailers ending) {
    return details(ending).getDetailsList().stream()
        .filter(detail -> detail.is(RetryInfo.class))
        .map(
            detail -> {
              try {
                return detail.unpack(RetryInfo.class);
              } catch (IOException e) {
                throw new AssertionError("not a RetryInfo", e);
              }
            })
        .reduce(
            (one, other) -> {
              throw new AssertionError("two RetryInfos: " + one + other);
            });
  }

  private static Status details(Statuses.StatusWithTrailers ending) {
    return Objects.requireNonNull(
        StatusProto.fromThrowable(new StatusRuntimeException(ending.status(), ending.trailers())));
  }

  private static Failure sample(Class<?> type) {
    RecordComponent[] components = type.getRecordComponents();
    Object[] values = new Object[components.length];
    Class<?>[] types = new Class<?>[components.length];
    for (int i = 0; i < components.length; i++) {
      types[i] = components[i].getType();
      Object value = SAMPLES.get(types[i]);
      if (value == null) {
        throw new AssertionError("no sample of " + types[i]);
      }
      values[i] = value;
    }
    try {
      var constructor = type.getDeclaredConstructor(types);
      constructor.setAccessible(true);
      return (Failure) constructor.newInstance(values);
    } catch (ReflectiveOperationException e) {
      throw new LinkageError(type + " cannot be made", e);
    }
  }
}
