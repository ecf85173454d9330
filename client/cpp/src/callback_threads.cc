#include "callback_threads.h"

#include <google/protobuf/empty.pb.h>
#include <grpcpp/client_context.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/impl/codegen/proto_utils.h>

#include <future>
#include <memory>

namespace hmacd::internal {
namespace {

using google::protobuf::Empty;
using Stub = grpc::TemplatedGenericStub<Empty, Empty>;

// Makes a stub whose channel has no address: each call fails at once, without a connection. Its first call starts the
// threads.
Stub *make_anchor() {
  auto *anchor = new Stub(grpc::CreateChannel("", nullptr));
  grpc::ClientContext context;
  const Empty request;
  Empty response;
  const auto ended = std::make_shared<std::promise<void>>();
  anchor->UnaryCall(&context, "/hmacd/none", {}, &request, &response,
                    [ended](const grpc::Status &) { ended->set_value(); });
  ended->get_future().wait();
  return anchor;
}

}  // namespace

void keep_callback_threads() {
  // Never destroyed.
  static const Stub *const anchor = make_anchor();
  static_cast<void>(anchor);
}

}  // namespace hmacd::internal
