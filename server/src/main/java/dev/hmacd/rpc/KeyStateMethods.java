package dev.hmacd.rpc;

import dev.hmacd.key.ArnScope;
import dev.hmacd.usecase.Call;
import dev.hmacd.usecase.KeyStateService;
import dev.hmacd.v1.CancelKeyDeletionRequest;
import dev.hmacd.v1.CancelKeyDeletionResponse;
import dev.hmacd.v1.DisableKeyRequest;
import dev.hmacd.v1.DisableKeyResponse;
import dev.hmacd.v1.EnableKeyRequest;
import dev.hmacd.v1.EnableKeyResponse;
import dev.hmacd.v1.KeyServiceGrpc;
import dev.hmacd.v1.ScheduleKeyDeletionRequest;
import dev.hmacd.v1.ScheduleKeyDeletionResponse;
import dev.hmacd.v1.UpdateKeyDescriptionRequest;
import dev.hmacd.v1.UpdateKeyDescriptionResponse;

/// The methods of `hmacd.v1.KeyService` that change a key's state or description.
final class KeyStateMethods {
  private final KeyStateService states;
  private final ArnScope scope;

  KeyStateMethods(KeyStateService states, ArnScope scope) {
    this.states = states;
    this.scope = scope;
  }

  void addTo(ServiceBuilder service) {
    var _ =
        service
            .add(
                KeyServiceGrpc.getEnableKeyMethod(),
                EnableKeyRequest.getDefaultInstance(),
                this::enableKey)
            .add(
                KeyServiceGrpc.getDisableKeyMethod(),
                DisableKeyRequest.getDefaultInstance(),
                this::disableKey)
            .add(
                KeyServiceGrpc.getScheduleKeyDeletionMethod(),
                ScheduleKeyDeletionRequest.getDefaultInstance(),
                this::scheduleKeyDeletion)
            .add(
                KeyServiceGrpc.getCancelKeyDeletionMethod(),
                CancelKeyDeletionRequest.getDefaultInstance(),
                this::cancelKeyDeletion)
            .add(
                KeyServiceGrpc.getUpdateKeyDescriptionMethod(),
                UpdateKeyDescriptionRequest.getDefaultInstance(),
                this::updateKeyDescription);
  }

  private void enableKey(Call call, EnableKeyRequest request, GrpcReply<EnableKeyResponse> reply) {
    states.enableKey(
        call,
        request.getKeyId(),
        reply.encoding(
            key ->
                EnableKeyResponse.newBuilder()
                    .setKeyMetadata(ProtoConverter.metadata(key, scope))
                    .build()));
  }

  private void disableKey(
      Call call, DisableKeyRequest request, GrpcReply<DisableKeyResponse> reply) {
    states.disableKey(
        call,
        request.getKeyId(),
        reply.encoding(
            key ->
                DisableKeyResponse.newBuilder()
                    .setKeyMetadata(ProtoConverter.metadata(key, scope))
                    .build()));
  }

  private void scheduleKeyDeletion(
      Call call, ScheduleKeyDeletionRequest request, GrpcReply<ScheduleKeyDeletionResponse> reply) {
    states.scheduleKeyDeletion(
        call,
        request.getKeyId(),
        request.getPendingWindowInDays() == 0
            ? KeyStateService.MAX_PENDING_DAYS
            : request.getPendingWindowInDays(),
        reply.encoding(
            key ->
                ScheduleKeyDeletionResponse.newBuilder()
                    .setKeyMetadata(ProtoConverter.metadata(key, scope))
                    .build()));
  }

  private void cancelKeyDeletion(
      Call call, CancelKeyDeletionRequest request, GrpcReply<CancelKeyDeletionResponse> reply) {
    states.cancelKeyDeletion(
        call,
        request.getKeyId(),
        reply.encoding(
            key ->
                CancelKeyDeletionResponse.newBuilder()
                    .setKeyMetadata(ProtoConverter.metadata(key, scope))
                    .build()));
  }

  private void updateKeyDescription(
      Call call,
      UpdateKeyDescriptionRequest request,
      GrpcReply<UpdateKeyDescriptionResponse> reply) {
    states.updateKeyDescription(
        call,
        request.getKeyId(),
        request.getDescription(),
        reply.encoding(
            key ->
                UpdateKeyDescriptionResponse.newBuilder()
                    .setKeyMetadata(ProtoConverter.metadata(key, scope))
                    .build()));
  }
}
