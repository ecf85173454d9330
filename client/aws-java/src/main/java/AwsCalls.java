import com.google.gson.Gson;
import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonNull;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import com.google.gson.JsonPrimitive;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.awscore.exception.AwsServiceException;
import software.amazon.awssdk.core.SdkBytes;
import software.amazon.awssdk.core.SdkField;
import software.amazon.awssdk.core.SdkPojo;
import software.amazon.awssdk.core.protocol.MarshallingType;
import software.amazon.awssdk.core.traits.ListTrait;
import software.amazon.awssdk.core.util.SdkAutoConstructList;
import software.amazon.awssdk.services.kms.KmsClient;
import software.amazon.awssdk.utils.builder.SdkBuilder;

/** Makes the calls of client/aws/cases.py with AWS's SDK. */
final class AwsCalls {
  private static final String MODEL = "software.amazon.awssdk.services.kms.model.";

  private AwsCalls() {}

  public static void main(String[] arguments) throws IOException {
    var in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    var out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
    // The program omits absent members. The only null is the message of an error without a text.
    var gson = new Gson().newBuilder().serializeNulls().disableHtmlEscaping().create();
    for (String line = in.readLine(); line != null; line = in.readLine()) {
      out.println(gson.toJson(outcome(JsonParser.parseString(line).getAsJsonObject())));
    }
  }

  private static JsonObject outcome(JsonObject call) {
    var outcome = new JsonObject();
    try (KmsClient kms = connect(call.get("credentials"))) {
      outcome.add("answer", make(kms, call));
    } catch (InvocationTargetException e) {
      if (e.getCause() instanceof AwsServiceException refusal) {
        outcome.addProperty("error", refusal.awsErrorDetails().errorCode());
        outcome.addProperty("status", refusal.statusCode());
        outcome.addProperty("message", refusal.awsErrorDetails().errorMessage());
      } else {
        outcome.addProperty("fault", e.getCause().toString());
      }
    } catch (ReflectiveOperationException | RuntimeException e) {
      outcome.addProperty("fault", e.toString());
    }
    return outcome;
  }

  private static KmsClient connect(JsonElement credentials) {
    var kms = KmsClient.builder();
    if (credentials instanceof JsonArray given) {
      var keyAndSecret =
          AwsBasicCredentials.create(given.get(0).getAsString(), given.get(1).getAsString());
      kms.credentialsProvider(StaticCredentialsProvider.create(keyAndSecret));
    }
    return kms.build();
  }

  private static JsonObject make(KmsClient kms, JsonObject call)
      throws ReflectiveOperationException {
    String name = call.get("call").getAsString();
    boolean pages = call.get("pages").getAsBoolean();
    JsonObject input = call.getAsJsonObject("input");
    if (pages) {
      input.addProperty("Limit", 1);
    }
    Class<?> type = Class.forName(MODEL + name + "Request");
    Object request = filled((SdkPojo) type.getMethod("builder").invoke(null), input);
    String method = Character.toLowerCase(name.charAt(0)) + name.substring(1);
    if (!pages) {
      return plain((SdkPojo) KmsClient.class.getMethod(method, type).invoke(kms, request));
    }
    var all = new JsonObject();
    for (Object page :
        (Iterable<?>) KmsClient.class.getMethod(method + "Paginator", type).invoke(kms, request)) {
      for (Map.Entry<String, JsonElement> member : plain((SdkPojo) page).entrySet()) {
        if (member.getValue() instanceof JsonArray items) {
          if (!all.has(member.getKey())) {
            all.add(member.getKey(), new JsonArray());
          }
          all.getAsJsonArray(member.getKey()).addAll(items);
        }
      }
    }
    return all;
  }

  // --- JSON to the SDK's types ---

  private static Object filled(SdkPojo builder, JsonObject members) {
    Map<String, SdkField<?>> fields = builder.sdkFieldNameToField();
    members
        .entrySet()
        .forEach(
            member -> {
              SdkField<?> field = fields.get(member.getKey());
              field.set(builder, value(field, member.getValue()));
            });
    return ((SdkBuilder<?, ?>) builder).build();
  }

  private static Object value(SdkField<?> field, JsonElement json) {
    var type = field.marshallingType();
    if (type == MarshallingType.LIST) {
      SdkField<?> item = field.getTrait(ListTrait.class).memberFieldInfo();
      List<Object> items = new ArrayList<>();
      json.getAsJsonArray().forEach(each -> items.add(value(item, each)));
      return items;
    } else if (type == MarshallingType.SDK_POJO) {
      return filled(field.constructor().get(), json.getAsJsonObject());
    } else if (type == MarshallingType.SDK_BYTES) {
      return SdkBytes.fromByteArray(Base64.getDecoder().decode(json.getAsString()));
    } else if (type == MarshallingType.BOOLEAN) {
      return json.getAsBoolean();
    } else if (type == MarshallingType.INTEGER) {
      return json.getAsInt();
    } else if (type == MarshallingType.STRING) {
      return json.getAsString();
    }
    throw new IllegalArgumentException(field.memberName() + " has an unsupported type: " + type);
  }

  // --- The SDK's types to JSON ---

  private static JsonObject plain(SdkPojo answer) {
    var json = new JsonObject();
    for (SdkField<?> field : answer.sdkFields()) {
      JsonElement value = plain(field.getValueOrDefault(answer));
      if (!value.isJsonNull()) {
        json.add(field.memberName(), value);
      }
    }
    return json;
  }

  private static JsonElement plain(Object value) {
    if (value == null || value instanceof SdkAutoConstructList) { // An absent list.
      return JsonNull.INSTANCE;
    } else if (value instanceof SdkPojo structure) {
      return plain(structure);
    } else if (value instanceof List<?> items) {
      var json = new JsonArray();
      items.forEach(item -> json.add(plain(item)));
      return json;
    } else if (value instanceof SdkBytes bytes) {
      return new JsonPrimitive(Base64.getEncoder().encodeToString(bytes.asByteArray()));
    } else if (value instanceof Instant time) {
      return new JsonPrimitive(time.getEpochSecond());
    } else if (value instanceof Boolean truth) {
      return new JsonPrimitive(truth);
    } else if (value instanceof Number number) {
      return new JsonPrimitive(number);
    }
    return new JsonPrimitive(value.toString());
  }
}
