package dev.hmacd.awskms;

import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.regex.Pattern;

/// A member of an input structure in the model of AWS KMS: its JSON type and its constraints. The
/// error texts for violations are AWS's error texts.
final class InputMember {
  /// Reads a value. Before the read, the parser is at the first token of the value; after the read,
  /// at the last token.
  private interface Reader {
    Object read(JsonParser json) throws IOException;
  }

  /// Constraint on a value: adds a text for each violation to a list.
  private interface Rule {
    void check(Object value, String path, List<String> violations);
  }

  private final String name;
  private final Reader reader;
  private final List<Rule> rules = new ArrayList<>();
  private boolean required;
  private boolean served = true;

  private InputMember(String name, Reader reader) {
    this.name = name;
    this.reader = reader;
  }

  static InputMember text(String name, int min, int max) {
    return new InputMember(name, InputMember::readText).lengths(min, max);
  }

  /// A text member with a set of allowed values.
  ///
  /// @param values allowed values, in the order of AWS's error message
  static InputMember oneOf(String name, List<String> values) {
    var member = new InputMember(name, InputMember::readText);
    member.rules.add(
        (value, path, violations) -> {
          if (!values.contains(value)) {
            violations.add(violation(value, path, "Member must satisfy enum value set: " + values));
          }
        });
    return member;
  }

  static InputMember blob(String name, int min, int max) {
    return new InputMember(name, InputMember::readBlob).lengths(min, max);
  }

  static InputMember bool(String name) {
    return new InputMember(name, InputMember::readBool);
  }

  static InputMember integer(String name, int min, int max) {
    var member = new InputMember(name, InputMember::readInteger);
    member.rules.add(
        (value, path, violations) -> {
          if ((int) value < min) {
            violations.add(
                violation(value, path, "Member must have value greater than or equal to " + min));
          } else if ((int) value > max) {
            violations.add(
                violation(value, path, "Member must have value less than or equal to " + max));
          }
        });
    return member;
  }

  /// A member whose value is a list of texts.
  static InputMember texts(String name, int maxItems, int min, int max) {
    InputMember item = text("member", min, max);
    var member = new InputMember(name, json -> readList(json, item.reader));
    member.lengths(0, maxItems);
    member.rules.add(
        (value, path, violations) -> checkItems((List<?>) value, item, path, violations));
    return member;
  }

  /// A member whose value is a list of structures; each structure is an [OperationInput].
  static InputMember structures(String name, InputStructure members) {
    var member = new InputMember(name, json -> readList(json, members::readObject));
    member.rules.add(
        (value, path, violations) -> {
          int i = 1;
          for (Object each : (List<?>) value) {
            if (violations.size() >= InputStructure.MAX_VIOLATIONS) {
              return;
            }
            members.check((OperationInput) each, path + "." + i++ + ".member.", violations);
          }
        });
    return member;
  }

  /// A member that hmacd does not support. A request that sets the member is refused, regardless of
  /// the value.
  static InputMember unserved(String name) {
    var member = new InputMember(name, InputMember::skip);
    member.served = false;
    return member;
  }

  InputMember required() {
    required = true;
    return this;
  }

  InputMember pattern(String pattern) {
    Pattern compiled = Pattern.compile(pattern);
    rules.add(
        (value, path, violations) -> {
          if (!compiled.matcher((String) value).matches()) {
            violations.add(
                violation(
                    value, path, "Member must satisfy regular expression pattern: " + pattern));
          }
        });
    return this;
  }

  private InputMember lengths(int min, int max) {
    rules.add(
        (value, path, violations) -> {
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
            violations.add(
                violation(value, path, "Member must have length greater than or equal to " + min));
          } else if (length > max) {
            violations.add(
                violation(value, path, "Member must have length less than or equal to " + max));
          }
        });
    return this;
  }

  private static void checkItems(
      List<?> items, InputMember item, String path, List<String> violations) {
    int i = 1;
    for (Object each : items) {
      if (violations.size() >= InputStructure.MAX_VIOLATIONS) {
        return;
      }
      String itemPath = path + "." + i++ + ".member";
      item.rules.forEach(rule -> rule.check(each, itemPath, violations));
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

  /// Adds a text for each constraint of this member that the request violates.
  ///
  /// @param prefix prefix of the member's path in the error text, e.g. `tags.1.member.`
  void check(OperationInput input, String prefix, List<String> violations) {
    String path = prefix + Character.toLowerCase(name.charAt(0)) + name.substring(1);
    Object value = input.value(name);
    if (value != null) {
      rules.forEach(rule -> rule.check(value, path, violations));
    } else if (required) {
      violations.add(
          "Value null at '" + path + "' failed to satisfy constraint: Member must not be null");
    }
  }

  /// The text of a violation. In the error text, AWS repeats an invalid text or number, but no
  /// bytes. hmacd also repeats no lists, because a list may contain grant tokens.
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

  /// Whether all surrogates of a text are paired: UTF-8 cannot encode an unpaired surrogate.
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
