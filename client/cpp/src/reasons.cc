#include "reasons.h"

namespace hmacd::internal {
namespace {

using grpc::StatusCode;

constexpr Reason reasons[] = {
    // The reasons of the daemon.
    {"UNAUTHENTICATED", StatusCode::UNAUTHENTICATED, Retry::reconnect, false, true},
    {"ACCESS_DENIED", StatusCode::PERMISSION_DENIED, Retry::never, false, true},
    {"INVALID_FIELD", StatusCode::INVALID_ARGUMENT, Retry::never, false, true},
    {"UNKNOWN_FIELD", StatusCode::INVALID_ARGUMENT, Retry::never, false, true},
    {"GRANT_TOKENS_NOT_SUPPORTED", StatusCode::UNIMPLEMENTED, Retry::never, false, true},
    {"KEY_VERSION_NOT_SUPPORTED", StatusCode::UNIMPLEMENTED, Retry::never, false, true},
    // Of the daemon. After a damaged answer, the call has run.
    {"CHECKSUM_MISMATCH", StatusCode::INVALID_ARGUMENT, Retry::once, true, true},
    {"INVALID_PAGE_TOKEN", StatusCode::INVALID_ARGUMENT, Retry::never, false, true},
    {"INVALID_KEY_ID", StatusCode::INVALID_ARGUMENT, Retry::never, false, true},
    {"KEY_NOT_FOUND", StatusCode::NOT_FOUND, Retry::never, false, true},
    {"ALIAS_NOT_FOUND", StatusCode::NOT_FOUND, Retry::never, false, true},
    {"ALIAS_ALREADY_EXISTS", StatusCode::ALREADY_EXISTS, Retry::never, false, true},
    {"LIMIT_EXCEEDED", StatusCode::RESOURCE_EXHAUSTED, Retry::never, false, true},
    {"KEY_NOT_USABLE", StatusCode::FAILED_PRECONDITION, Retry::never, false, true},
    {"INVALID_KEY_USAGE", StatusCode::INVALID_ARGUMENT, Retry::never, false, true},
    {"KMS_INVALID_MAC", StatusCode::INVALID_ARGUMENT, Retry::never, false, false},
    {"DRY_RUN_OPERATION", StatusCode::FAILED_PRECONDITION, Retry::never, false, false},
    {"TOKEN_OBJECT_NOT_FOUND", StatusCode::NOT_FOUND, Retry::never, false, true},
    {"TOKEN_OBJECT_AMBIGUOUS", StatusCode::FAILED_PRECONDITION, Retry::never, false, true},
    {"TOKEN_OBJECT_UNFIT", StatusCode::FAILED_PRECONDITION, Retry::never, false, true},
    {"TOKEN_OBJECT_TAKEN", StatusCode::ALREADY_EXISTS, Retry::never, false, true},
    {"TOKEN_OBJECT_RESERVED", StatusCode::PERMISSION_DENIED, Retry::never, false, true},
    {"MECHANISM_NOT_SUPPORTED", StatusCode::FAILED_PRECONDITION, Retry::never, false, true},
    {"TOKEN_BUSY", StatusCode::RESOURCE_EXHAUSTED, Retry::back_off, true, true},
    {"REGISTRY_BUSY", StatusCode::RESOURCE_EXHAUSTED, Retry::back_off, true, true},
    {"DEADLINE_EXCEEDED", StatusCode::DEADLINE_EXCEEDED, Retry::never, true, false},
    {"TOKEN_UNAVAILABLE", StatusCode::UNAVAILABLE, Retry::back_off, true, false},
    {"KEY_UNAVAILABLE", StatusCode::UNAVAILABLE, Retry::back_off, true, false},
    {"REGISTRY_UNAVAILABLE", StatusCode::UNAVAILABLE, Retry::back_off, true, false},
    {"STOPPING", StatusCode::UNAVAILABLE, Retry::next_target, true, false},
    {"INTERNAL", StatusCode::INTERNAL, Retry::never, false, false},
    {"KEY_NOT_PENDING_DELETION", StatusCode::FAILED_PRECONDITION, Retry::never, false, true},
    {"INVALID_TAG", StatusCode::INVALID_ARGUMENT, Retry::never, false, true},
    {"ACCESS_KEY_NOT_FOUND", StatusCode::NOT_FOUND, Retry::never, false, true},
    {"MESSAGE_TOO_LONG", StatusCode::INVALID_ARGUMENT, Retry::never, false, true},
    {"REQUEST_TOO_LONG", StatusCode::RESOURCE_EXHAUSTED, Retry::never, false, true},
    {"MEMORY_BUSY", StatusCode::RESOURCE_EXHAUSTED, Retry::back_off, true, false},
    {"METHOD_NOT_FOUND", StatusCode::UNIMPLEMENTED, Retry::never, false, true},
    {"SERVICE_NOT_FOUND", StatusCode::NOT_FOUND, Retry::never, false, true},
    {"RESERVED_MESSAGE", StatusCode::INVALID_ARGUMENT, Retry::never, false, true},
    // Local reasons. The attempts decide whether the call may have run.
    {"CONNECTION_FAILED", StatusCode::OK, Retry::never, true, false},
    {"TLS_FAILED", StatusCode::OK, Retry::never, false, false},
    {"CANCELLED", StatusCode::OK, Retry::never, false, false},
    {"CLOSED", StatusCode::OK, Retry::never, false, false},
};

constexpr Reason unknown{"", StatusCode::UNKNOWN, Retry::never, false, false};

}  // namespace

const Reason &reason(std::string_view name) {
  for (const auto &known : reasons) {
    if (known.name == name) return known;
  }
  return unknown;
}

const Reason &daemon_reason(std::string_view name) {
  const Reason &found = reason(name);
  return found.code == StatusCode::OK ? unknown : found;
}

}  // namespace hmacd::internal
