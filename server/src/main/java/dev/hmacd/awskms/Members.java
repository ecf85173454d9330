package dev.hmacd.awskms;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// The members of an operation's input, or of a structure in it.
///
/// What is no JSON, or not of the model's types, is a `SerializationException`; what breaks the
/// model's rules is a `ValidationException` that tells all of it. Members that the model does not
/// have are ignored, as AWS does: its clients are newer than any server now and then.
final class Members {
  /// Of the items of a list no more are looked at once so much was found: a list of a hundred
  /// thousand bad ones would be answered with a text of many megabytes.
  static final int MAX_TOLD = 32;

  private final Map<String, Member> byName = new LinkedHashMap<>();

  private Members(List<Member> members) {
    members.forEach(member -> byName.put(member.name(), member));
  }

  static Members of(Member... members) {
    return new Members(List.of(members));
  }

  /// Reads a request's body.
  ///
  /// @throws AwsException when it is not what the model says, or sets what is not served
  Input read(byte[] body) {
    Input input;
    try (JsonParser json = Json.parser(body)) {
      json.nextToken();
      input = readObject(json);
      if (json.nextToken() != null) {
        throw new AwsException(AwsError.serialization());
      }
    } catch (IOException e) {
      throw new AwsException(AwsError.serialization());
    }
    List<String> broken = new ArrayList<>(0);
    check(input, "", broken);
    if (!broken.isEmpty()) {
      throw new AwsException(
          AwsError.validation(
              broken.size()
                  + (broken.size() == 1 ? " validation error" : " validation errors")
                  + " detected: "
                  + String.join("; ", broken)));
    }
    for (Member member : byName.values()) {
      if (!member.isServed() && input.has(member.name())) {
        throw new AwsException(AwsError.unsupported(member.name() + " is not supported."));
      }
    }
    return input;
  }

  Input readObject(JsonParser json) throws IOException {
    if (json.currentToken() != JsonToken.START_OBJECT) {
      throw new AwsException(AwsError.serialization());
    }
    Map<String, Object> values = HashMap.newHashMap(byName.size());
    for (String name = json.nextFieldName(); name != null; name = json.nextFieldName()) {
      json.nextToken();
      Member member = byName.get(name);
      if (member == null) {
        json.skipChildren();
      } else if (json.currentToken() != JsonToken.VALUE_NULL) {
        values.put(name, member.read(json));
      }
    }
    return new Input(values);
  }

  /// Adds what is wrong with an input.
  ///
  /// @param prefix of the paths of its members, e.g. `tags.1.member.`
  void check(Input input, String prefix, List<String> broken) {
    byName.values().forEach(member -> member.check(input, prefix, broken));
  }
}
