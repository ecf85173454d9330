package dev.hmacd.awskms;

import com.fasterxml.jackson.core.JsonGenerator;
import dev.hmacd.key.Key;
import dev.hmacd.key.KeySpec;
import dev.hmacd.key.KeyState;
import dev.hmacd.usecase.Call;
import dev.hmacd.usecase.KeyService;
import dev.hmacd.usecase.PagedList;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;

/// The operations that create, describe and list keys, and return the rotation status of a key.
final class KeyOperations {
  private static final String USAGE = "GENERATE_VERIFY_MAC";

  /// All values of `KeySpec`, in the order of AWS's error message.
  private static final List<String> SPECS =
      List.of(
          "RSA_2048",
          "ECC_NIST_P384",
          "ECC_NIST_P256",
          "ECC_NIST_P521",
          "HMAC_384",
          "RSA_3072",
          "ECC_SECG_P256K1",
          "RSA_4096",
          "SYMMETRIC_DEFAULT",
          "HMAC_256",
          "HMAC_224",
          "HMAC_512");

  private static final List<String> USAGES =
      List.of("ENCRYPT_DECRYPT", "SIGN_VERIFY", USAGE, "KEY_AGREEMENT");

  /// Operations for key usages other than `GENERATE_VERIFY_MAC`. For a MAC key, AWS refuses these
  /// operations after the look-up of the key.
  private static final List<String> OF_OTHER_USAGES =
      List.of(
          "Decapsulate",
          "DeriveSharedSecret",
          "Encapsulate",
          "Encrypt",
          "GenerateDataKey",
          "GenerateDataKeyPair",
          "GenerateDataKeyPairWithoutPlaintext",
          "GenerateDataKeyWithoutPlaintext",
          "Sign",
          "Verify");

  static final InputMember KEY_ID =
      InputMember.text("KeyId", 1, ModelLimits.KEY_ID_CHARS).required();

  private static final InputMember MESSAGE_TYPE =
      InputMember.oneOf("MessageType", List.of("RAW", "DIGEST", "EXTERNAL_MU"));

  private static final InputMember SIGNATURE =
      InputMember.blob("Signature", 1, ModelLimits.CIPHERTEXT_BYTES).required();

  /// The member `SigningAlgorithm`, with its values in the order of AWS's service model: the order
  /// of AWS's error message is not known.
  private static final InputMember SIGNING_ALGORITHM =
      InputMember.oneOf(
              "SigningAlgorithm",
              List.of(
                  "RSASSA_PSS_SHA_256",
                  "RSASSA_PSS_SHA_384",
                  "RSASSA_PSS_SHA_512",
                  "RSASSA_PKCS1_V1_5_SHA_256",
                  "RSASSA_PKCS1_V1_5_SHA_384",
                  "RSASSA_PKCS1_V1_5_SHA_512",
                  "ECDSA_SHA_256",
                  "ECDSA_SHA_384",
                  "ECDSA_SHA_512",
                  "SM2DSA",
                  "ML_DSA_SHAKE_256",
                  "ED25519_SHA_512",
                  "ED25519_PH_SHA_512"))
          .required();

  private final KeyService keys;

  KeyOperations(KeyService keys) {
    this.keys = keys;
  }

  List<Operation> all() {
    List<Operation> all =
        new ArrayList<>(
            List.of(
                new Operation("CreateKey", createKeyInput(), this::createKey),
                new Operation(
                    "DescribeKey",
                    InputStructure.of(KEY_ID, GrantTokens.MEMBER),
                    this::describeKey),
                new Operation(
                    "GetKeyRotationStatus", InputStructure.of(KEY_ID), this::getKeyRotationStatus),
                new Operation(
                    "ListKeys", InputStructure.of(Paging.LIMIT, Paging.MARKER), this::listKeys)));
    OF_OTHER_USAGES.forEach(
        name ->
            all.add(
                new Operation(
                    name,
                    inputOfOtherUsage(name),
                    (call, input, reply) -> ofOtherUsage(name, call, input, reply))));
    return all;
  }

  /// The input of an operation for another key usage. AWS checks the input before it finds the key.
  private static InputStructure inputOfOtherUsage(String name) {
    return switch (name) {
      case "Sign" ->
          InputStructure.of(KEY_ID, MacOperations.MESSAGE, MESSAGE_TYPE, SIGNING_ALGORITHM);
      case "Verify" ->
          InputStructure.of(
              KEY_ID, MacOperations.MESSAGE, MESSAGE_TYPE, SIGNATURE, SIGNING_ALGORITHM);
      default -> InputStructure.of(KEY_ID);
    };
  }

  private static InputStructure createKeyInput() {
    return InputStructure.of(
        InputMember.unserved("Policy"),
        InputMember.text("Description", 0, ModelLimits.DESCRIPTION_CHARS),
        InputMember.oneOf("KeyUsage", USAGES),
        InputMember.oneOf("CustomerMasterKeySpec", SPECS),
        InputMember.oneOf("KeySpec", SPECS),
        InputMember.oneOf(
            "Origin", List.of("AWS_KMS", "EXTERNAL", "AWS_CLOUDHSM", "EXTERNAL_KEY_STORE")),
        InputMember.unserved("CustomKeyStoreId"),
        InputMember.bool("BypassPolicyLockoutSafetyCheck"),
        TagOperations.TAGS,
        InputMember.bool("MultiRegion"),
        InputMember.unserved("XksKeyId"));
  }

  private void createKey(Call call, OperationInput input, AwsReply reply) {
    refuseUnserved(input);
    keys.createKey(
        call,
        spec(input),
        input.optionalText("Description").orElse(""),
        TagOperations.tags(input),
        Optional.empty(),
        reply.json((json, key) -> writeMetadata(json, key)));
  }

  /// Refuses values other than AWS's defaults for the members that hmacd does not support.
  private static void refuseUnserved(OperationInput input) {
    refuseIf(!input.optionalText("Origin").orElse("AWS_KMS").equals("AWS_KMS"), "Origin");
    refuseIf(input.bool("MultiRegion"), "MultiRegion");
    refuseIf(input.bool("BypassPolicyLockoutSafetyCheck"), "BypassPolicyLockoutSafetyCheck");
  }

  private static void refuseIf(boolean set, String member) {
    if (set) {
      throw new AwsException(AwsError.unsupported(member + " is not supported."));
    }
  }

  private static KeySpec spec(OperationInput input) {
    if (input.has("KeySpec") && input.has("CustomerMasterKeySpec")) {
      throw new AwsException(
          AwsError.validation(
              "You cannot specify KeySpec and CustomerMasterKeySpec in the same request."
                  + " CustomerMasterKeySpec is deprecated."));
    }
    String spec =
        input
            .optionalText("KeySpec")
            .or(() -> input.optionalText("CustomerMasterKeySpec"))
            .orElse("SYMMETRIC_DEFAULT");
    if (!spec.equals("SYMMETRIC_DEFAULT") && !input.has("KeyUsage")) {
      throw new AwsException(
          AwsError.validation(
              "You must specify a KeyUsage value for all KMS keys except for symmetric encryption"
                  + " keys."));
    }
    String usage = input.optionalText("KeyUsage").orElse("ENCRYPT_DECRYPT");
    boolean hmac = spec.startsWith("HMAC_");
    if (hmac != usage.equals(USAGE)) {
      throw new AwsException(
          AwsError.validation(
              "KeyUsage " + usage + " is not compatible with KeySpec " + spec + "."));
    }
    refuseIf(!hmac, "KeySpec " + spec);
    return KeySpec.valueOf(spec);
  }

  private void describeKey(Call call, OperationInput input, AwsReply reply) {
    GrantTokens.refuse(input);
    keys.describeKey(call, input.text("KeyId"), reply.json(this::writeMetadata));
  }

  private void getKeyRotationStatus(Call call, OperationInput input, AwsReply reply) {
    keys.getKeyRotationStatus(
        call,
        input.text("KeyId"),
        reply.json(
            (json, key) -> {
              json.writeStringField("KeyId", key.id().value());
              json.writeBooleanField("KeyRotationEnabled", false);
            }));
  }

  private void listKeys(Call call, OperationInput input, AwsReply reply) {
    keys.listKeys(
        call,
        Paging.request(PagedList.KEYS, "", input),
        reply.json(
            (json, page) -> {
              json.writeArrayFieldStart("Keys");
              for (var id : page.items()) {
                json.writeStartObject();
                json.writeStringField("KeyId", id.value());
                json.writeStringField("KeyArn", keys.scope().keyArn(id));
                json.writeEndObject();
              }
              json.writeEndArray();
              Paging.write(json, page);
            }));
  }

  /// Refuses an operation for another key usage, e.g. `Encrypt`. The error discloses the key usage,
  /// so the caller needs the permission for DescribeKey.
  private void ofOtherUsage(String name, Call call, OperationInput input, AwsReply reply) {
    keys.describeKey(
        call,
        input.text("KeyId"),
        reply.refusal(
            key ->
                AwsError.of(
                    "InvalidKeyUsageException",
                    keys.scope().keyArn(key.id())
                        + " key usage is "
                        + USAGE
                        + " which is not valid for "
                        + name
                        + ".")));
  }

  private void writeMetadata(JsonGenerator json, Key key) throws IOException {
    json.writeObjectFieldStart("KeyMetadata");
    json.writeStringField("AWSAccountId", keys.scope().account());
    json.writeStringField("KeyId", key.id().value());
    json.writeStringField("Arn", keys.scope().keyArn(key.id()));
    JsonWriter.time(json, "CreationDate", key.created());
    json.writeBooleanField("Enabled", key.state() == KeyState.ENABLED);
    json.writeStringField("Description", key.description());
    json.writeStringField("KeyUsage", USAGE);
    json.writeStringField("KeyState", state(key.state()));
    if (key.deletion() != null) {
      JsonWriter.time(json, "DeletionDate", key.deletion());
    }
    json.writeStringField("Origin", "AWS_KMS");
    json.writeStringField("KeyManager", "CUSTOMER");
    json.writeStringField("CustomerMasterKeySpec", key.spec().name());
    json.writeStringField("KeySpec", key.spec().name());
    json.writeArrayFieldStart("MacAlgorithms");
    json.writeString(key.spec().algorithm().name());
    json.writeEndArray();
    json.writeBooleanField("MultiRegion", false);
    json.writeEndObject();
  }

  static String state(KeyState state) {
    return switch (state) {
      case CREATING -> "Creating";
      case ENABLED -> "Enabled";
      case DISABLED -> "Disabled";
      case PENDING_DELETION -> "PendingDeletion";
      case UNAVAILABLE -> "Unavailable";
    };
  }
}
