/// One call, from its start to its result.
#pragma once

#include <google/protobuf/message_lite.h>
#include <grpcpp/alarm.h>
#include <grpcpp/client_context.h>

#include <chrono>
#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "core.h"
#include "hmacd/call_options.h"
#include "hmacd/error.h"

namespace hmacd::internal {

/// The method of a call, with its messages.
struct Rpc {
  /// For example `hmacd.v1.MacService/GenerateMac`.
  std::string method;
  std::shared_ptr<google::protobuf::MessageLite> request;
  std::shared_ptr<google::protobuf::MessageLite> response;
  /// Whether the response was not damaged in transit.
  std::function<bool()> intact;
  /// The length of the message of the caller in bytes.
  std::size_t message_bytes;
};

/// Makes the attempts of a call, one after the other. Each step runs on a thread of gRPC, except the first attempt of a
/// call that waits.
class Call : public std::enable_shared_from_this<Call> {
 public:
  /// Gets null after a success, when the response is complete. Must not throw.
  using Done = std::function<void(std::exception_ptr)>;

  /// Starts a call. `done` is called exactly once.
  static void start(std::shared_ptr<Core> core, Rpc rpc, const CallOptions &options, Done done);

  /// Makes a call, and waits for its end.
  /// @throws Error
  static void run(std::shared_ptr<Core> core, Rpc rpc, const CallOptions &options);

  /// The reason of a cancelled call: `CANCELLED` or `CLOSED`.
  enum class CancelledBy { caller, close };

  /// Cancels the call on the wire. It fails, unless it has ended. Thread-safe.
  void cancel(CancelledBy by);

 private:
  using Clock = std::chrono::steady_clock;

  Call(std::shared_ptr<Core> core, Rpc rpc, const CallOptions &options, bool blocking, Done done);

  static void start(std::shared_ptr<Core> core, Rpc rpc, const CallOptions &options, bool blocking, Done done);

  void attempt(std::optional<std::size_t> target = std::nullopt);
  void attempt_next() { attempt(); }
  void wait_for_connection();
  void wait_for_reload();
  void send(std::chrono::nanoseconds remaining);
  void answered(const grpc::Status &status);
  void failed(Failure failure);
  void repeat(const RetryPlan::Step &step);
  void set_alarm(std::chrono::nanoseconds delay, void (Call::*step)());
  void finish(std::exception_ptr error, const std::string &reason) noexcept;
  void finish_cancelled();
  void finish_failed(Failure failure);
  void finish_late();

  std::optional<CancelledBy> cancelled();
  ErrorFields fields(const std::string &reason) const;
  std::string target_name() const;

  const std::shared_ptr<Core> core_;
  const Rpc rpc_;
  const Done done_;
  const std::optional<Cancellation> cancellation_;
  const Clock::time_point start_ = Clock::now();
  const std::chrono::system_clock::time_point start_time_ = std::chrono::system_clock::now();
  const Clock::time_point deadline_;
  std::uint64_t cancellation_id_ = 0;

  // Of the step that runs.
  // Whether the next attempt waits on the thread of the caller.
  bool blocking_;
  RetryPlan plan_;
  TargetPicker::Choice choice_{};
  std::shared_ptr<Connection> connection_;
  bool limited_ = false;
  int attempts_ = 0;
  bool may_have_run_ = false;
  std::string request_id_;
  // Of the last attempt.
  std::optional<Failure> failure_;

  std::mutex mutex_;
  // Guarded by mutex_.
  std::optional<CancelledBy> cancelled_;
  std::shared_ptr<grpc::ClientContext> context_;
  std::shared_ptr<grpc::Alarm> alarm_;
};

}  // namespace hmacd::internal
