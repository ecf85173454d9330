/// Calls that wait on the thread of their caller.
#pragma once

#include <google/protobuf/message_lite.h>
#include <grpcpp/client_context.h>
#include <grpcpp/support/status.h>

#include <string>

#include "connection.h"

namespace hmacd::internal {

/// Makes a unary call, and waits for its end. The calling thread reads and writes the connection itself: without a
/// wake-up of another thread, the call costs about two thirds of one with a callback.
/// @param context has a deadline
grpc::Status blocking_call(Connection::Stub &stub, grpc::ClientContext &context, const std::string &method,
                           const google::protobuf::MessageLite &request, google::protobuf::MessageLite &response);

}  // namespace hmacd::internal
