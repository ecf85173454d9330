package dev.hmacd.awskms;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import dev.hmacd.json.StrictJson;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// A structure in the model of AWS KMS: the input of an operation, or a structure in an input.
///
/// A body that is not JSON, or does not have the model's types, gives a `SerializationException`.
/// Violations of constraints give one `ValidationException`, which lists them up to
/// [#MAX_VIOLATIONS]. Members outside of the model are ignored, as in AWS: a client may be newer
/// than the server.
final class InputStructure {
  /// The check of list items ends after this number of violations. Without this limit, a list of
  /// 100,000 invalid items would give an error text of many megabytes.
  static final int MAX_VIOLATIONS = 32;

  private final Map<String, InputMember> byName = new LinkedHashMap<>();

  private InputStructure(List<InputMember> members) {
    members.forEach(member -> byName.put(member.name(), member));
  }

  static InputStructure of(InputMember... members) {
    return new InputStructure(List.of(members));
  }

  /// Reads and checks the body of a request.
  ///
  /// @throws AwsException if the body violates the model, or sets a member that hmacd does not
  ///   support
  OperationInput read(byte[] body) {
    OperationInput input;
    try (JsonParser json = StrictJson.parser(body)) {
      json.nextToken();
      input = readObject(json);
      if (json.nextToken() != null) {
        throw new AwsException(AwsError.serialization());
      }
    } catch (IOException e) {
      throw new AwsException(AwsError.serialization());
    }
    List<String> violations = new ArrayList<>(0);
    check(input, "", violations);
    if (!violations.isEmpty()) {
      throw new AwsException(
          AwsError.validation(
              violations.size()
                  + (violations.size() == 1 ? " validation error" : " validation errors")
                  + " detected: "
                  + String.join("; ", violations)));
    }
    for (InputMember member : byName.values()) {
      if (!member.isServed() && input.has(member.name())) {
        throw new AwsException(AwsError.unsupported(member.name() + " is not supported."));
      }
    }
    return input;
  }

  OperationInput readObject(JsonParser json) throws IOException {
    if (json.currentToken() != JsonToken.START_OBJECT) {
      throw new AwsException(AwsError.serialization());
    }
    Map<String, Object> values = HashMap.newHashMap(byName.size());
    for (String name = json.nextFieldName(); name != null; name = json.nextFieldName()) {
      json.nextToken();
      InputMember member = byName.get(name);
      if (member == null) {
        json.skipChildren();
      } else if (json.currentToken() != JsonToken.VALUE_NULL) {
        values.put(name, member.read(json));
      }
    }
    return new OperationInput(values);
  }

  /// Adds a text for each constraint that an input violates.
  ///
  /// @param prefix prefix of the members' paths in error texts, e.g. `tags.1.member.`
  void check(OperationInput input, String prefix, List<String> violations) {
    byName.values().forEach(member -> member.check(input, prefix, violations));
  }
}
