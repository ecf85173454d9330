package dev.hmacd.awskms;

import dev.hmacd.key.Alias;
import dev.hmacd.key.AliasEntry;
import dev.hmacd.key.ArnScope;
import dev.hmacd.usecase.AliasService;
import dev.hmacd.usecase.Call;
import dev.hmacd.usecase.PagedList;
import java.util.List;

/// The operations on aliases.
final class AliasOperations {
  private static final InputMember ALIAS_NAME =
      InputMember.text("AliasName", 1, 256).pattern("^[a-zA-Z0-9:/_-]+$").required();
  private static final InputMember TARGET_KEY_ID =
      InputMember.text("TargetKeyId", 1, ModelLimits.KEY_ID_CHARS).required();

  private final AliasService aliases;
  private final ArnScope scope;

  AliasOperations(AliasService aliases, ArnScope scope) {
    this.aliases = aliases;
    this.scope = scope;
  }

  List<Operation> all() {
    return List.of(
        new Operation(
            "CreateAlias", InputStructure.of(ALIAS_NAME, TARGET_KEY_ID), this::createAlias),
        new Operation(
            "UpdateAlias", InputStructure.of(ALIAS_NAME, TARGET_KEY_ID), this::updateAlias),
        new Operation("DeleteAlias", InputStructure.of(ALIAS_NAME), this::deleteAlias),
        new Operation(
            "ListAliases",
            InputStructure.of(
                InputMember.text("KeyId", 1, ModelLimits.KEY_ID_CHARS),
                Paging.LIMIT,
                Paging.MARKER),
            this::listAliases));
  }

  private void createAlias(Call call, OperationInput input, AwsReply reply) {
    aliases.createAlias(call, alias(input), target(input), reply.empty());
  }

  private void updateAlias(Call call, OperationInput input, AwsReply reply) {
    aliases.updateAlias(call, alias(input), target(input), reply.empty());
  }

  private void deleteAlias(Call call, OperationInput input, AwsReply reply) {
    aliases.deleteAlias(call, alias(input), reply.empty());
  }

  /// Reads an alias name, and checks it with the error texts of AWS. The use case checks the alias
  /// name, too, but with other error texts.
  private static String alias(OperationInput input) {
    String name = input.text("AliasName");
    if (!name.startsWith(Alias.PREFIX)) {
      throw new AwsException(
          AwsError.validation(
              "Alias must start with the prefix \"alias/\". Please see"
                  + " https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html"));
    }
    if (!Alias.FORM.matcher(name).matches()) {
      throw new AwsException(
          AwsError.validation(name + " contains invalid characters for an alias"));
    }
    if (new Alias(name).isReserved()) {
      throw new AwsException(AwsError.of("NotAuthorizedException", null));
    }
    return name;
  }

  private static String target(OperationInput input) {
    String target = input.text("TargetKeyId");
    if (target.startsWith(Alias.PREFIX) || target.contains(":" + Alias.PREFIX)) {
      throw new AwsException(AwsError.validation("Aliases must refer to keys. Not aliases"));
    }
    return target;
  }

  private void listAliases(Call call, OperationInput input, AwsReply reply) {
    String keyId = input.optionalText("KeyId").orElse("");
    aliases.listAliases(
        call,
        keyId,
        Paging.request(PagedList.ALIASES, keyId, input),
        reply.json(
            (json, page) -> {
              json.writeArrayFieldStart("Aliases");
              for (AliasEntry entry : page.items()) {
                json.writeStartObject();
                json.writeStringField("AliasName", entry.alias().name());
                json.writeStringField("AliasArn", scope.aliasArn(entry.alias()));
                json.writeStringField("TargetKeyId", entry.target().value());
                JsonWriter.time(json, "CreationDate", entry.created());
                JsonWriter.time(json, "LastUpdatedDate", entry.updated());
                json.writeEndObject();
              }
              json.writeEndArray();
              Paging.write(json, page);
            }));
  }
}
