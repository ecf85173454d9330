#include "blocking_call.h"

#include <grpcpp/completion_queue.h>
#include <grpcpp/support/async_unary_call.h>

#include <memory>

#include "process.h"

namespace hmacd::internal {
namespace {

// The completion queue of a thread. It has at most one call.
class ThreadQueue {
 public:
  ~ThreadQueue() {
    if (process_generation() == generation_) {
      queue_->Shutdown();
      void *tag = nullptr;
      bool ok = false;
      while (queue_->Next(&tag, &ok)) {
      }
    } else {
      // In a child process, the objects of gRPC cannot be destroyed.
      static_cast<void>(queue_.release());
    }
  }

  grpc::CompletionQueue *get() { return queue_.get(); }

 private:
  const int generation_ = process_generation();
  std::unique_ptr<grpc::CompletionQueue> queue_ = std::make_unique<grpc::CompletionQueue>();
};

}  // namespace

grpc::Status blocking_call(Connection::Stub &stub, grpc::ClientContext &context, const std::string &method,
                           const google::protobuf::MessageLite &request, google::protobuf::MessageLite &response) {
  thread_local ThreadQueue queue;
  grpc::Status status;
  const auto call = stub.PrepareUnaryCall(&context, method, request, queue.get());
  call->StartCall();
  call->Finish(&response, &status, nullptr);
  void *tag = nullptr;
  bool ok = false;
  queue.get()->Next(&tag, &ok);
  return status;
}

}  // namespace hmacd::internal
