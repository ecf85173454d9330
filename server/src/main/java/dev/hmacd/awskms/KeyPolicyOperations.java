package dev.hmacd.awskms;

import dev.hmacd.key.ArnScope;
import dev.hmacd.usecase.Call;
import dev.hmacd.usecase.KeyService;
import dev.hmacd.usecase.PagedList;
import java.util.List;

/// The operations that read key policies. Every key has AWS's default key policy, which delegates
/// all decisions to identity policies. In hmacd, the access rules of the configuration are the
/// identity policies. Other key policies are not supported.
final class KeyPolicyOperations {
  private static final String POLICY_NAME = "PolicyName";
  private static final String DEFAULT = "default";

  private final KeyService keys;
  private final String defaultPolicy;

  KeyPolicyOperations(KeyService keys) {
    this.keys = keys;
    this.defaultPolicy = defaultPolicy(keys.scope());
  }

  /// The default key policy, with the white space of AWS's policy, because some clients compare
  /// policies as text.
  private static String defaultPolicy(ArnScope scope) {
    return """
        {
          "Version" : "2012-10-17",
          "Id" : "key-default-1",
          "Statement" : [ {
            "Sid" : "Enable IAM User Permissions",
            "Effect" : "Allow",
            "Principal" : {
              "AWS" : "arn:%s:iam::%s:root"
            },
            "Action" : "kms:*",
            "Resource" : "*"
          } ]
        }"""
        .formatted(scope.partition(), scope.account());
  }

  List<Operation> all() {
    return List.of(
        new Operation(
            "GetKeyPolicy",
            InputStructure.of(
                KeyOperations.KEY_ID, InputMember.text(POLICY_NAME, 1, 128).pattern("[\\w]+")),
            this::getKeyPolicy),
        new Operation(
            "ListKeyPolicies",
            InputStructure.of(KeyOperations.KEY_ID, Paging.LIMIT, Paging.MARKER),
            this::listKeyPolicies));
  }

  private void getKeyPolicy(Call call, OperationInput input, AwsReply reply) {
    String name = input.optionalText(POLICY_NAME).orElse(DEFAULT);
    if (!name.equals(DEFAULT)) {
      keys.getKeyPolicy(
          call,
          input.text("KeyId"),
          reply.refusal(_ -> AwsError.of("NotFoundException", "No such policy exists")));
      return;
    }
    keys.getKeyPolicy(
        call,
        input.text("KeyId"),
        reply.json(
            (json, _) -> {
              json.writeStringField("Policy", defaultPolicy);
              json.writeStringField(POLICY_NAME, DEFAULT);
            }));
  }

  private void listKeyPolicies(Call call, OperationInput input, AwsReply reply) {
    String keyId = input.text("KeyId");
    keys.listKeyPolicies(
        call,
        keyId,
        Paging.request(PagedList.KEY_POLICIES, keyId, input),
        reply.json(
            (json, names) -> {
              json.writeArrayFieldStart("PolicyNames");
              for (String name : names.items()) {
                json.writeString(name);
              }
              json.writeEndArray();
              Paging.write(json, names);
            }));
  }
}
