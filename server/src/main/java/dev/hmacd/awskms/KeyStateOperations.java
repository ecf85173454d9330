package dev.hmacd.awskms;

import dev.hmacd.key.ArnScope;
import dev.hmacd.usecase.Call;
import dev.hmacd.usecase.KeyStateService;
import java.util.List;

/// The operations on the state and the description of a key.
final class KeyStateOperations {
  private static final String PENDING_WINDOW = "PendingWindowInDays";

  private final KeyStateService states;
  private final ArnScope scope;

  KeyStateOperations(KeyStateService states, ArnScope scope) {
    this.states = states;
    this.scope = scope;
  }

  List<Operation> all() {
    return List.of(
        new Operation("EnableKey", InputStructure.of(KeyOperations.KEY_ID), this::enableKey),
        new Operation("DisableKey", InputStructure.of(KeyOperations.KEY_ID), this::disableKey),
        new Operation(
            "ScheduleKeyDeletion",
            InputStructure.of(KeyOperations.KEY_ID, InputMember.integer(PENDING_WINDOW, 1, 365)),
            this::scheduleKeyDeletion),
        new Operation(
            "CancelKeyDeletion", InputStructure.of(KeyOperations.KEY_ID), this::cancelKeyDeletion),
        new Operation(
            "UpdateKeyDescription",
            InputStructure.of(
                KeyOperations.KEY_ID,
                InputMember.text("Description", 0, ModelLimits.DESCRIPTION_CHARS).required()),
            this::updateKeyDescription));
  }

  private void enableKey(Call call, OperationInput input, AwsReply reply) {
    states.enableKey(call, input.text("KeyId"), reply.empty());
  }

  private void disableKey(Call call, OperationInput input, AwsReply reply) {
    states.disableKey(call, input.text("KeyId"), reply.empty());
  }

  private void scheduleKeyDeletion(Call call, OperationInput input, AwsReply reply) {
    int days = input.number(PENDING_WINDOW).orElse(KeyStateService.MAX_PENDING_DAYS);
    if (days < KeyStateService.MIN_PENDING_DAYS || days > KeyStateService.MAX_PENDING_DAYS) {
      throw new AwsException(
          AwsError.validation(
              "PendingWindowInDays must be between "
                  + KeyStateService.MIN_PENDING_DAYS
                  + " and "
                  + KeyStateService.MAX_PENDING_DAYS));
    }
    states.scheduleKeyDeletion(
        call,
        input.text("KeyId"),
        days,
        reply.json(
            (json, key) -> {
              json.writeStringField("KeyId", scope.keyArn(key.id()));
              if (key.deletion() != null) {
                JsonWriter.time(json, "DeletionDate", key.deletion());
              }
              json.writeStringField("KeyState", KeyOperations.state(key.state()));
              json.writeNumberField(PENDING_WINDOW, days);
            }));
  }

  private void cancelKeyDeletion(Call call, OperationInput input, AwsReply reply) {
    states.cancelKeyDeletion(
        call,
        input.text("KeyId"),
        reply.json((json, key) -> json.writeStringField("KeyId", scope.keyArn(key.id()))));
  }

  private void updateKeyDescription(Call call, OperationInput input, AwsReply reply) {
    states.updateKeyDescription(
        call, input.text("KeyId"), input.text("Description"), reply.empty());
  }
}
