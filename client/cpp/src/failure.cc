#include "failure.h"

#include <algorithm>
#include <cctype>
#include <charconv>

#include "details.pb.h"
#include "reasons.h"

namespace hmacd::internal {
namespace {

using std::chrono::milliseconds;

// A text from the network, in one line of limited length.
std::string one_line(std::string text) {
  constexpr std::size_t max_bytes = 300;
  text.resize(std::min(text.size(), max_bytes));
  std::replace_if(text.begin(), text.end(), [](unsigned char c) { return std::iscntrl(c) != 0; }, ' ');
  return text;
}

std::string trailer(const grpc::ClientContext &context, const char *name) {
  const auto &trailers = context.GetServerTrailingMetadata();
  const auto found = trailers.find(name);
  return found == trailers.end() ? "" : std::string(found->second.data(), found->second.size());
}

bool is_type(const google::protobuf::Any &detail, std::string_view type) {
  const std::string_view url = detail.type_url();
  return url.size() > type.size() && url.substr(url.size() - type.size()) == type &&
         url[url.size() - type.size() - 1] == '/';
}

// A number of bytes in the metadata; 0 if it is missing or not valid.
std::size_t bytes_of(const client::internal::ErrorInfo &info, const std::string &name) {
  const auto found = info.metadata().find(name);
  if (found == info.metadata().end()) return 0;
  const std::string &text = found->second;
  std::size_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() ? number : 0;
}

// Whether only the client itself has the reason.
bool is_local(const std::string &reason) {
  return reason == "CONNECTION_FAILED" || reason == "TLS_FAILED" || reason == "CANCELLED" || reason == "CLOSED" ||
         reason == "INVALID_ARGUMENT";
}

void read_error_info(const google::protobuf::Any &detail, Failure &failure) {
  client::internal::ErrorInfo info;
  if (!info.ParseFromString(detail.value()) || info.domain() != "hmacd.dev" || info.reason().empty()) return;
  failure.from_daemon = true;
  failure.reason = is_local(info.reason()) ? "UNKNOWN" : one_line(info.reason());
  failure.may_have_run = !daemon_reason(failure.reason).not_executed;
  failure.limit = bytes_of(info, "maximum");
  failure.size = bytes_of(info, "given");
}

void read_retry_info(const google::protobuf::Any &detail, Failure &failure) {
  client::internal::RetryInfo info;
  if (!info.ParseFromString(detail.value())) return;
  const auto &delay = info.retry_delay();
  // An hour is longer than each deadline.
  const auto seconds = std::clamp<std::int64_t>(delay.seconds(), 0, 3600);
  const auto nanos = std::clamp(delay.nanos(), 0, 999'999'999);
  failure.retry_delay = milliseconds(seconds * 1000 + (nanos + 999'999) / 1'000'000);
}

void read_details(const std::string &bytes, Failure &failure) {
  client::internal::Status details;
  // A reason decides about a MAC: incomplete details have none.
  if (!details.ParseFromString(bytes)) return;
  for (const auto &detail : details.details()) {
    if (is_type(detail, "google.rpc.ErrorInfo")) read_error_info(detail, failure);
    if (is_type(detail, "google.rpc.RetryInfo")) read_retry_info(detail, failure);
  }
}

// Whether gRPC found no connection for the call. gRPC reports it in the text only: without a known text, the request
// may have been sent. The tests fail if a version of gRPC has another text.
bool found_no_connection(const grpc::Status &status, const grpc::ClientContext &context, const std::string &address) {
  if (status.error_code() != grpc::StatusCode::UNAVAILABLE || context.peer() != address) return false;
  for (const char *text : {"connections to all backends failing", "failed to connect to all addresses",
                           "DNS resolution failed", "empty address list"}) {
    if (status.error_message().rfind(text, 0) == 0) return true;
  }
  return false;
}

void set_local_reason(const grpc::Status &status, bool limited, Failure &failure) {
  switch (status.error_code()) {
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      failure.reason = "DEADLINE_EXCEEDED";
      failure.problem = "no answer before the deadline";
      failure.transport = limited;
      break;
    case grpc::StatusCode::UNAVAILABLE:
      failure.reason = "CONNECTION_FAILED";
      failure.problem = failure.sent ? "the connection was lost" : "no connection to the daemon";
      failure.transport = true;
      break;
    default:
      failure.reason = "CONNECTION_FAILED";
      failure.problem =
          "the peer does not answer as hmacd: status " + std::to_string(status.error_code()) + " without a reason";
  }
}

}  // namespace

std::string request_id(const grpc::ClientContext &context) { return one_line(trailer(context, "x-request-id")); }

bool asks_for_retry(const Failure &failure) {
  return failure.from_daemon && failure.retry_delay && daemon_reason(failure.reason).name.empty();
}

Failure read_failure(const grpc::Status &status, const grpc::ClientContext &context, const std::string &address,
                     bool limited) {
  Failure failure;
  failure.sent = !found_no_connection(status, context, address);
  failure.no_retry = trailer(context, "grpc-retry-pushback-ms") == "-1";
  failure.request_id = request_id(context);
  read_details(status.error_details(), failure);
  if (!failure.from_daemon) {
    failure.may_have_run = failure.sent;
    failure.retry_delay.reset();
    set_local_reason(status, limited, failure);
    return failure;
  }
  failure.problem = one_line(status.error_message());
  // The daemon has the deadline of the attempt, and can report its end first.
  failure.transport =
      daemon_reason(failure.reason).retry == Retry::next_target || (limited && failure.reason == "DEADLINE_EXCEEDED");
  return failure;
}

Failure damaged_answer(const grpc::ClientContext &context) {
  Failure failure;
  failure.reason = "CHECKSUM_MISMATCH";
  failure.problem = "the answer of the daemon was damaged in transit";
  failure.from_daemon = true;
  failure.request_id = request_id(context);
  return failure;
}

}  // namespace hmacd::internal
