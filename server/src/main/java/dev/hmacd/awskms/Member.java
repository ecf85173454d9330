package dev.hmacd.awskms;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.regex.Pattern;

/// A member of an operation's model, with its JSON type and its rules, in the words of AWS.
final class Member {
  /// Reads a value. The parser is at its first token before, and at its last afterwards.
  private interface Reader {
    Object read(JsonParser json) throws IOException;
  }

  /// Adds the violations of a value to a list.
  private interface Rule {
    void check(Object value, String path, List<String> broken);
  }

  private final String name;
  private final Reader reader;
  private final List<Rule> rules = new ArrayList<>();
  private boolean required;
  private boolean served = true;

  private Member(String name, Reader reader) {
    this.name = name;
    this.reader = reader;
  }

  static Member text(String name, int min, int max) {
    return new Member(name, Member::readText).lengths(min, max);
  }

  /// A text with a set of allowed values.
  ///
  /// @param values in the order in which AWS lists them
  static Member oneOf(String name, List<String> values) {
    var member = new Member(name, Member::readText);
    member.rules.add(
        (value, path, broken) -> {
          if (!values.contains(value)) {
            broken.add(violation(value, path, "Member must satisfy enum value set: " + values));
          }
        });
    return member;
  }

  static Member blob(String name, int min, int max) {
    return new Member(name, Member::readBlob).lengths(min, max);
  }

  static Member bool(String name) {
    return new Member(name, Member::readBool);
  }

  static Member integer(String name, int min, int max) {
    var member = new Member(name, Member::readInteger);
    member.rules.add(
        (value, path, broken) -> {
          if ((int) value < min) {
            broken.add(
                violation(value, path, "Member must have value greater than or equal to " + min));
          } else if ((int) value > max) {
            broken.add(
                violation(value, path, "Member must have value less than or equal to " + max));
          }
        });
    return member;
  }

  /// A list of texts.
  static Member texts(String name, int maxItems, int min, int max) {
    Member item = text("member", min, max);
    var member = new Member(name, json -> readList(json, item.reader));
    member.lengths(0, maxItems);
    member.rules.add((value, path, broken) -> checkItems((List<?>) value, item, path, broken));
    return member;
  }

  /// A list of structures, each an [Input].
  static Member structures(String name, Members members) {
    var member = new Member(name, json -> readList(json, members::readObject));
    member.rules.add(
        (value, path, broken) -> {
          int i = 1;
          for (Object each : (List<?>) value) {
            if (broken.size() >= Members.MAX_TOLD) {
              return;
            }
            members.check((Input) each, path + "." + i++ + ".member.", broken);
          }
        });
    return member;
  }

  /// A member of AWS that is not served. A request that sets it is refused, for each value.
  static Member unserved(String name) {
    var member = new Member(name, Member::skip);
    member.served = false;
    return member;
  }

  Member required() {
    required = true;
    return this;
  }

  Member pattern(String pattern) {
    Pattern compiled = Pattern.compile(pattern);
    rules.add(
        (value, path, broken) -> {
          if (!compiled.matcher((String) value).matches()) {
            broken.add(
                violation(
                    value, path, "Member must satisfy regular expression pattern: " + pattern));
          }
        });
    return this;
  }

  private Member lengths(int min, int max) {
    rules.add(
        (value, path, broken) -> {
          int length =
              switch (value) {
                case byte[] bytes -> bytes.length;
                case List<?> list -> list.size();
                default -> {
                  String text = (String) value;
                  yield text.codePointCount(0, text.length());
                }
              };
          if (length < min) {
            broken.add(
                violation(value, path, "Member must have length greater than or equal to " + min));
          } else if (length > max) {
            broken.add(
                violation(value, path, "Member must have length less than or equal to " + max));
          }
        });
    return this;
  }

  private static void checkItems(List<?> items, Member item, String path, List<String> broken) {
    int i = 1;
    for (Object each : items) {
      if (broken.size() >= Members.MAX_TOLD) {
        return;
      }
      String itemPath = path + "." + i++ + ".member";
      item.rules.forEach(rule -> rule.check(each, itemPath, broken));
    }
  }

  String name() {
    return name;
  }

  boolean isServed() {
    return served;
  }

  Object read(JsonParser json) throws IOException {
    return reader.read(json);
  }

  /// Adds the violations of this member in a request.
  ///
  /// @param prefix prefix of the path, e.g. `tags.1.member.`
  void check(Input input, String prefix, List<String> broken) {
    String path = prefix + Character.toLowerCase(name.charAt(0)) + name.substring(1);
    Object value = input.value(name);
    if (value != null) {
      rules.forEach(rule -> rule.check(value, path, broken));
    } else if (required) {
      broken.add(
          "Value null at '" + path + "' failed to satisfy constraint: Member must not be null");
    }
  }

  /// The text of a violation. AWS echoes texts and numbers, but no bytes. hmacd echoes no lists
  /// either, because they may contain grant tokens.
  private static String violation(Object value, String path, String rule) {
    String echo = value instanceof byte[] || value instanceof List ? "" : " '" + value + "'";
    return "Value" + echo + " at '" + path + "' failed to satisfy constraint: " + rule;
  }

  private static String readText(JsonParser json) throws IOException {
    require(json.currentToken() == JsonToken.VALUE_STRING);
    String text = json.getText();
    require(isWellFormed(text));
    return text;
  }

  /// Whether all surrogates are paired: UTF-8 has no form for an unpaired surrogate.
  private static boolean isWellFormed(String text) {
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (Character.isSurrogate(c)) {
        if (Character.isLowSurrogate(c)
            || ++i == text.length()
            || !Character.isLowSurrogate(text.charAt(i))) {
          return false;
        }
      }
    }
    return true;
  }

  private static byte[] readBlob(JsonParser json) throws IOException {
    require(json.currentToken() == JsonToken.VALUE_STRING);
    try {
      return Base64.getDecoder().decode(json.getText());
    } catch (IllegalArgumentException e) {
      throw new AwsException(AwsError.serialization());
    }
  }

  private static Boolean readBool(JsonParser json) {
    require(json.currentToken().isBoolean());
    return json.currentToken() == JsonToken.VALUE_TRUE;
  }

  private static Integer readInteger(JsonParser json) throws IOException {
    require(
        json.currentToken() == JsonToken.VALUE_NUMBER_INT
            && json.getNumberType() == JsonParser.NumberType.INT);
    return json.getIntValue();
  }

  private static List<Object> readList(JsonParser json, Reader item) throws IOException {
    require(json.currentToken() == JsonToken.START_ARRAY);
    List<Object> items = new ArrayList<>();
    while (json.nextToken() != JsonToken.END_ARRAY) {
      items.add(item.read(json));
    }
    return items;
  }

  private static Boolean skip(JsonParser json) throws IOException {
    json.skipChildren();
    return true;
  }

  private static void require(boolean holds) {
    if (!holds) {
      throw new AwsException(AwsError.serialization());
    }
  }
}
