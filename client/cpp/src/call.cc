#include "call.h"

#include <algorithm>
#include <future>
#include <utility>

#include "blocking_call.h"
#include "callback_threads.h"
#include "cancellation.h"
#include "reasons.h"
#include "timespec.h"

namespace hmacd::internal {
namespace {

using Clock = std::chrono::steady_clock;

Clock::time_point deadline_of(const Settings &settings, const CallOptions &options) {
  const auto latest = Clock::now() + settings.timeout;
  return options.deadline ? std::min(latest, *options.deadline) : latest;
}

std::exception_ptr make_error(ErrorFields fields, const Failure &failure, const Rpc &rpc) {
  const std::string &reason = failure.reason;
  if (reason == "KMS_INVALID_MAC") return std::make_exception_ptr(InvalidMac(std::move(fields), "the MAC is wrong"));
  if (reason == "MESSAGE_TOO_LONG") {
    const std::size_t size = failure.size > 0 ? failure.size : rpc.message_bytes;
    return std::make_exception_ptr(MessageTooLong(std::move(fields), failure.limit, size));
  }
  if (reason == "REQUEST_TOO_LONG") {
    return std::make_exception_ptr(MessageTooLong(std::move(fields), failure.limit, rpc.request->ByteSizeLong()));
  }
  if (reason == "TLS_FAILED" && !failure.from_daemon) return std::make_exception_ptr(TlsFailed(std::move(fields), failure.problem));
  if (reason == "DEADLINE_EXCEEDED") {
    return std::make_exception_ptr(DeadlineExceeded(std::move(fields), failure.problem));
  }
  return std::make_exception_ptr(Error(std::move(fields), failure.problem));
}

}  // namespace

Call::Call(std::shared_ptr<Core> core, Rpc rpc, const CallOptions &options, bool blocking, Done done)
    : core_(std::move(core)),
      rpc_(std::move(rpc)),
      done_(std::move(done)),
      cancellation_(options.cancellation),
      deadline_(deadline_of(core_->settings, options)),
      blocking_(blocking),
      plan_(core_->budget, core_->random) {}

void Call::start(std::shared_ptr<Core> core, Rpc rpc, const CallOptions &options, Done done) {
  start(std::move(core), std::move(rpc), options, false, std::move(done));
}

void Call::run(std::shared_ptr<Core> core, Rpc rpc, const CallOptions &options) {
  // Shared: the caller can go on before set_value has returned.
  const auto ended = std::make_shared<std::promise<void>>();
  start(std::move(core), std::move(rpc), options, true, [ended](const std::exception_ptr &error) {
    error ? ended->set_exception(error) : ended->set_value();
  });
  ended->get_future().get();
}

void Call::start(std::shared_ptr<Core> core, Rpc rpc, const CallOptions &options, bool blocking, Done done) {
  const std::shared_ptr<Call> call(new Call(std::move(core), std::move(rpc), options, blocking, std::move(done)));
  if (!call->core_->calls.enter(call)) {
    ErrorFields fields;
    fields.reason = "CLOSED";
    call->done_(std::make_exception_ptr(Closed(std::move(fields), "the client is closed")));
    return;
  }
  if (call->cancellation_) {
    call->cancellation_id_ = call->cancellation_->state()->add([weak = std::weak_ptr<Call>(call)] {
      if (const auto call = weak.lock()) call->cancel(CancelledBy::caller);
    });
  }
  call->attempt();
}

void Call::attempt(std::optional<std::size_t> target) {
  const auto now = Clock::now();
  choice_ = target ? core_->picker.pick(*target, now) : core_->picker.pick(now);
  wait_for_connection();
}

// Without a usable target, the attempt waits until the deadline of the call. gRPC could wait itself
// (set_wait_for_ready), but it would not report the cause, and whether it sent the request.
void Call::wait_for_connection() {
  constexpr std::chrono::milliseconds poll_interval{50};
  const std::chrono::nanoseconds remaining = deadline_ - Clock::now();
  if (cancelled() || remaining.count() <= 0) {
    core_->picker.released(choice_);
    cancelled() ? finish_cancelled() : finish_late();
    return;
  }
  connection_ = core_->connections->get(choice_.target);
  const bool no_connection = failure_ && !failure_->sent;
  if (choice_.waits && no_connection && connection_->failing()) {
    if (core_->picker.other_usable(choice_.target, Clock::now())) {
      core_->picker.released(choice_);
      attempt();
      return;
    }
    connection_->hurry();
    core_->start_diagnosis(choice_.target);
    set_alarm(std::min<std::chrono::nanoseconds>(poll_interval, remaining), &Call::wait_for_connection);
    return;
  }
  send(remaining);
}

void Call::send(std::chrono::nanoseconds remaining) {
  limited_ = choice_.limited && core_->settings.attempt_timeout < remaining;
  ++attempts_;
  rpc_.response->Clear();
  const auto context = std::make_shared<grpc::ClientContext>();
  context->set_deadline(after(limited_ ? core_->settings.attempt_timeout : remaining));
  {
    const std::lock_guard lock(mutex_);
    context_ = context;
    // If a cancellation came before, it did not find the context.
    if (cancelled_) context->TryCancel();
  }
  if (std::exchange(blocking_, false)) {
    answered(blocking_call(connection_->stub(), *context, "/" + rpc_.method, *rpc_.request, *rpc_.response));
    return;
  }
  keep_callback_threads();
  // The callback can run before UnaryCall returns, and start an attempt on another connection.
  const auto connection = connection_;
  connection->stub().UnaryCall(context.get(), "/" + rpc_.method, {}, rpc_.request.get(), rpc_.response.get(),
                                [self = shared_from_this()](const grpc::Status &status) { self->answered(status); });
}

void Call::answered(const grpc::Status &status) {
  if (status.ok() && rpc_.intact()) {
    request_id_ = request_id(*context_);
    core_->picker.answered(choice_);
    if (attempts_ == 1) core_->budget.give();
    finish(nullptr, "");
    return;
  }
  failed(status.ok() ? damaged_answer(*context_)
                     : read_failure(status, *context_, core_->targets[choice_.target].address, limited_));
}

void Call::failed(Failure failure) {
  const auto now = Clock::now();
  if (!failure.request_id.empty()) request_id_ = failure.request_id;
  may_have_run_ = may_have_run_ || failure.may_have_run;
  if (failure.transport) {
    core_->picker.failed(choice_, now);
  } else if (failure.from_daemon) {
    core_->picker.answered(choice_);
  } else {
    core_->picker.released(choice_);
  }
  if (!failure.sent) connection_->hurry();
  failure_ = std::move(failure);
  if (cancelled()) {
    finish_cancelled();
    return;
  }
  const RetryPlan::Step step = plan_.after(*failure_, core_->picker.other_usable(choice_.target, now), deadline_ - now);
  if (step.action == RetryPlan::Action::stop) {
    finish_failed(*failure_);
  } else {
    repeat(step);
  }
}

void Call::repeat(const RetryPlan::Step &step) {
  if (step.action == RetryPlan::Action::reconnect) {
    wait_for_reload();
  } else if (step.delay.count() > 0) {
    set_alarm(step.delay, &Call::attempt_next);
  } else {
    attempt();
  }
}

// A read of the files can block: the call waits at most until its deadline.
void Call::wait_for_reload() {
  constexpr std::chrono::milliseconds poll_interval{10};
  const std::chrono::nanoseconds remaining = deadline_ - Clock::now();
  if (!cancelled() && remaining.count() > 0 && !core_->reconnect(choice_.target, connection_)) {
    set_alarm(std::min<std::chrono::nanoseconds>(poll_interval, remaining), &Call::wait_for_reload);
    return;
  }
  attempt(choice_.target);
}

// A cancellation also ends the delay: each step checks it.
void Call::set_alarm(std::chrono::nanoseconds delay, void (Call::*step)()) {
  const auto self = shared_from_this();
  const auto alarm = std::make_shared<grpc::Alarm>();
  {
    const std::lock_guard lock(mutex_);
    alarm_ = alarm;
  }
  alarm->Set(after(delay), [self, step](bool) { ((*self).*step)(); });
  // A cancellation before Set had no effect on the alarm.
  if (cancelled()) alarm->Cancel();
}

void Call::cancel(CancelledBy by) {
  std::shared_ptr<grpc::ClientContext> context;
  std::shared_ptr<grpc::Alarm> alarm;
  {
    const std::lock_guard lock(mutex_);
    if (cancelled_) return;
    cancelled_ = by;
    context = context_;
    alarm = alarm_;
  }
  // Outside the lock: gRPC may run callbacks here.
  if (context) context->TryCancel();
  if (alarm) alarm->Cancel();
}

std::optional<Call::CancelledBy> Call::cancelled() {
  const std::lock_guard lock(mutex_);
  return cancelled_;
}

std::string Call::target_name() const { return attempts_ == 0 ? "" : core_->targets[choice_.target].name; }

ErrorFields Call::fields(const std::string &name) const {
  ErrorFields fields;
  fields.reason = name;
  fields.retryable = reason(name).retryable;
  fields.may_have_run = may_have_run_;
  fields.target = target_name();
  fields.attempts = attempts_;
  fields.request_id = request_id_;
  return fields;
}

void Call::finish_cancelled() {
  if (cancelled() == CancelledBy::close) {
    finish(std::make_exception_ptr(Closed(fields("CLOSED"), "the client was closed during the call")), "CLOSED");
  } else {
    finish(std::make_exception_ptr(Error(fields("CANCELLED"), "the caller cancelled the call")), "CANCELLED");
  }
}

void Call::finish_late() {
  Failure late;
  late.reason = "DEADLINE_EXCEEDED";
  late.problem = "the deadline passed before an attempt";
  finish_failed(failure_.value_or(late));
}

void Call::finish_failed(Failure failure) {
  if (!failure.from_daemon && !failure.sent) {
    const auto diagnosis = core_->diagnoses.last(choice_.target, start_);
    if (diagnosis && diagnosis->kind != Diagnosis::Kind::ok) {
      failure.reason = diagnosis->kind == Diagnosis::Kind::tls ? "TLS_FAILED" : "CONNECTION_FAILED";
      failure.problem = diagnosis->problem;
    }
  }
  ErrorFields fields = this->fields(failure.reason);
  std::string recorded = failure.reason;
  if (failure.from_daemon) {
    const Reason &known = daemon_reason(failure.reason);
    fields.retryable = known.retryable || asks_for_retry(failure);
    // Not a text of the peer: metrics have a limited number of reasons.
    if (known.name.empty()) recorded = "UNKNOWN";
  }
  finish(make_error(std::move(fields), failure, rpc_), recorded);
}

void Call::finish(std::exception_ptr error, const std::string &reason) noexcept {
  const auto self = shared_from_this();
  // The alarm keeps its function, and the function this call.
  std::shared_ptr<grpc::Alarm> alarm;
  {
    const std::lock_guard lock(mutex_);
    alarm.swap(alarm_);
  }
  if (cancellation_) cancellation_->state()->remove(cancellation_id_);
  if (core_->settings.observer) {
    core_->settings.observer({rpc_.method, target_name(), start_time_, Clock::now() - start_, attempts_, reason});
  }
  done_(std::move(error));
  core_->calls.leave(self);
}

}  // namespace hmacd::internal
