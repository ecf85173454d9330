package dev.hmacd.awskms;

import static java.nio.charset.StandardCharsets.ISO_8859_1;
import static java.nio.charset.StandardCharsets.UTF_8;

import com.google.gson.Strictness;
import com.google.gson.stream.JsonReader;
import com.google.gson.stream.JsonToken;
import dev.hmacd.access.Access;
import dev.hmacd.key.ArnScope;
import dev.hmacd.registry.Registry;
import dev.hmacd.token.CircuitBreaker;
import dev.hmacd.token.TestLanes;
import dev.hmacd.token.Token;
import dev.hmacd.token.TokenInfo;
import dev.hmacd.token.TokenSession;
import dev.hmacd.usecase.AccessKeyService;
import dev.hmacd.usecase.AliasService;
import dev.hmacd.usecase.KeyAuthorizer;
import dev.hmacd.usecase.KeyCreation;
import dev.hmacd.usecase.KeyRecovery;
import dev.hmacd.usecase.KeyService;
import dev.hmacd.usecase.KeyStateService;
import dev.hmacd.usecase.MacService;
import dev.hmacd.usecase.RandomService;
import dev.hmacd.usecase.TagService;
import dev.hmacd.usecase.UnavailableKeys;
import dev.hmacd.usecase.UseCases;
import java.io.IOException;
import java.io.StringReader;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/// Fuzz target: any bytes as the body of any operation. The first line of an input is the name of
/// the operation.
///
/// A second JSON library in its strict mode accepts each body that the daemon accepts, and reads
/// the same values. The daemon refuses a body that the second library accepts only for a known
/// limit. The daemon throws only refusals.
public final class JsonFuzz {
  /// Well below each limit on JSON: such a body is never refused for a limit.
  private static final int PLAIN_DEPTH = 30;

  private static final int PLAIN_NUMBER = 60;
  private static final int PLAIN_NAME = 500;

  /// Bound on the length of a refusal, without the repeated body.
  private static final int MAX_REFUSAL = 64 * 1024;

  private static final OperationTable OPERATIONS = operations();
  private static final InputStructure ANY = InputStructure.of();

  private JsonFuzz() {}

  /// All operations, over use cases that are not started.
  private static OperationTable operations() {
    var registry =
        new Registry(
            Path.of("none"), new ArnScope("aws", "none", "000000000000"), Clock.systemUTC());
    var authorizer = new KeyAuthorizer(registry.keys(), new Access(List.of()));
    var tokens = TestLanes.router(new NoToken(), 1, 1, Duration.ZERO);
    var unavailableKeys = new UnavailableKeys();
    var maker = new KeyCreation(registry, tokens, new KeyRecovery(registry, tokens));
    return OperationTable.of(
        new UseCases(
            new MacService(registry, authorizer, tokens, unavailableKeys),
            new KeyService(registry, authorizer, maker, tokens, unavailableKeys, Clock.systemUTC()),
            new AliasService(registry, authorizer),
            new KeyStateService(registry, authorizer, Clock.systemUTC()),
            new TagService(registry, authorizer),
            new RandomService(authorizer, tokens),
            new AccessKeyService(registry, authorizer, tokens, Clock.systemUTC())));
  }

  private static final class NoToken implements Token {
    private final CircuitBreaker circuit = new CircuitBreaker();

    @Override
    public TokenInfo info() {
      return new TokenInfo("none", "none", "", "", OptionalLong.empty());
    }

    @Override
    public CircuitBreaker circuit() {
      return circuit;
    }

    @Override
    public TokenSession open() {
      throw new UnsupportedOperationException();
    }

    @Override
    public boolean reinitialize(BooleanSupplier needed) {
      throw new UnsupportedOperationException();
    }

    @Override
    public void retryPin() {
      throw new UnsupportedOperationException();
    }
  }

  /// The text of a number.
  private record Literal(String text) {}

  /// A reader that uses the second library.
  private static final class Strict {
    private final JsonReader json;
    private boolean plain = true;

    private Strict(String text) {
      json = new JsonReader(new StringReader(text));
      json.setStrictness(Strictness.STRICT);
    }

    /// Reads a body; empty if the body is not exactly one value.
    static Optional<Strict.Text> read(byte[] bytes) {
      try {
        String text = UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString();
        if (text.startsWith("\ufeff")) {
          return Optional.empty(); // JSON has no byte order mark, but this library accepts it.
        }
        var reader = new Strict(text);
        Object value = reader.value(1);
        return reader.json.peek() == JsonToken.END_DOCUMENT
            ? Optional.of(new Text(value, reader.plain))
            : Optional.empty();
      } catch (CharacterCodingException e) {
        return Optional.empty();
      } catch (IOException | IllegalStateException e) {
        return Optional.empty();
      }
    }

    /// A value.
    ///
    /// @param plain whether each part of the value is well below the limits
    record Text(@Nullable Object value, boolean plain) {}

    private @Nullable Object value(int depth) throws IOException {
      plain &= depth <= PLAIN_DEPTH;
      return switch (json.peek()) {
        case BEGIN_OBJECT -> object(depth);
        case BEGIN_ARRAY -> {
          List<@Nullable Object> items = new ArrayList<>();
          json.beginArray();
          while (json.hasNext()) {
            items.add(value(depth + 1));
          }
          json.endArray();
          yield items;
        }
        case STRING -> json.nextString();
        case NUMBER -> {
          var literal = new Literal(json.nextString());
          plain &= literal.text().length() <= PLAIN_NUMBER;
          yield literal;
        }
        case BOOLEAN -> json.nextBoolean();
        case NULL -> {
          json.nextNull();
          yield null;
        }
        default -> throw new IOException("no value");
      };
    }

    private Map<String, @Nullable Object> object(int depth) throws IOException {
      Map<String, @Nullable Object> members = new LinkedHashMap<>();
      json.beginObject();
      while (json.hasNext()) {
        String name = json.nextName();
        // A lone surrogate is refused in each name, but only in strings that the operation reads.
        plain &= name.length() <= PLAIN_NAME && UTF_8.newEncoder().canEncode(name);
        Object value = value(depth + 1);
        if (members.containsKey(name)) {
          throw new IOException("duplicate name");
        }
        members.put(name, value);
      }
      json.endObject();
      return members;
    }
  }

  private static void check(boolean holds, String otherwise) {
    if (!holds) {
      throw new AssertionError(otherwise);
    }
  }

  /// The input in a body; empty if the body is refused with an error of the contract.
  private static Optional<OperationInput> read(InputStructure members, byte[] body) {
    try {
      return Optional.of(members.read(body));
    } catch (AwsException e) {
      AwsError error = e.error();
      check(
          error.status() == 400
              && Set.of(
                      "SerializationException",
                      "ValidationException",
                      "UnsupportedOperationException")
                  .contains(error.code()),
          "not a refusal of a body: " + error);
      check(error.json().length <= MAX_REFUSAL + 8 * body.length, "the refusal is too long");
      return Optional.empty();
    }
  }

  private static void checkSame(String name, @Nullable Object ours, @Nullable Object theirs) {
    boolean same =
        switch (ours) {
          case null -> true; // The operation does not have the member.
          case String text -> text.equals(theirs);
          case byte[] bytes ->
              theirs instanceof String text
                  && Arrays.equals(bytes, Base64.getDecoder().decode(text));
          case Boolean value -> value.equals(theirs);
          case Integer value ->
              theirs instanceof Literal literal && literal.text().equals(number(value, literal));
          case List<?> items ->
              theirs instanceof List<?> all && all.size() == items.size() && areSame(items, all);
          case OperationInput input -> {
            if (theirs instanceof Map<?, ?> members) {
              members.forEach((member, value) -> checkMember(input, (String) member, value));
            }
            yield theirs instanceof Map;
          }
          default -> throw new AssertionError("unexpected type " + ours.getClass());
        };
    check(same, name + " is " + theirs + " but was read as " + ours);
  }

  private static boolean areSame(List<?> ours, List<?> theirs) {
    for (int i = 0; i < ours.size(); i++) {
      checkSame("item " + i, ours.get(i), theirs.get(i));
    }
    return true;
  }

  /// The text of a value; -0 is read as 0.
  private static String number(Integer value, Literal literal) {
    return value == 0 && literal.text().equals("-0") ? "-0" : value.toString();
  }

  private static void checkMember(OperationInput input, String name, @Nullable Object value) {
    Object ours = input.value(name);
    check(value != null || ours == null, name + " is null but was read as " + ours);
    checkSame(name, ours, value);
  }

  /// The fuzzer calls this method with each input.
  public static void fuzzerTestOneInput(byte[] bytes) {
    int end = 0;
    while (end < bytes.length && bytes[end] != '\n') {
      end++;
    }
    String name = new String(bytes, 0, end, ISO_8859_1);
    byte[] body = Arrays.copyOfRange(bytes, Math.min(end + 1, bytes.length), bytes.length);
    Optional<Strict.Text> theirs = Strict.read(body);
    Optional<OperationInput> any = read(ANY, body);
    boolean object = theirs.isPresent() && theirs.get().value() instanceof Map;
    check(!any.isPresent() || object, "accepted, but not JSON");
    check(any.isPresent() || !object || !theirs.get().plain(), "refused, but JSON");
    InputStructure members =
        OPERATIONS.find("TrentService." + name).map(Operation::input).orElse(ANY);
    Optional<OperationInput> ours = read(members, body);
    if (ours.isPresent()) {
      check(object, "not JSON, but accepted by " + name);
      checkSame("the body", ours.get(), theirs.get().value());
    }
  }
}
