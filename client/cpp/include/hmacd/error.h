/// The errors of the client.
#pragma once

#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>

namespace hmacd {

/// The fields of an error.
struct ErrorFields {
  /// The name of an `ErrorReason` of the daemon, or `CONNECTION_FAILED`, `TLS_FAILED`, `DEADLINE_EXCEEDED`,
  /// `CANCELLED`, `CLOSED`, `MESSAGE_TOO_LONG` or `INVALID_ARGUMENT`. Branch on the reason, not on the text.
  std::string reason;
  /// Whether the same call may succeed later.
  bool retryable = false;
  /// False only if the daemon certainly has not executed the call.
  bool may_have_run = false;
  /// The target of the last attempt. Empty if there was none.
  std::string target;
  /// The number of attempts, 0 or more.
  int attempts = 0;
  /// The request id of the last answer. Empty if there was none.
  std::string request_id;
};

/// The base of all errors of the client. The text is one line without a message, a MAC or a key. Immutable: copies
/// share the fields, and do not throw.
class Error : public std::runtime_error {
 public:
  /// @param problem what is wrong, one line
  Error(ErrorFields fields, std::string_view problem);
  ~Error() override;

  const std::string &reason() const noexcept { return fields_->reason; }
  bool retryable() const noexcept { return fields_->retryable; }
  bool may_have_run() const noexcept { return fields_->may_have_run; }
  const std::string &target() const noexcept { return fields_->target; }
  int attempts() const noexcept { return fields_->attempts; }
  const std::string &request_id() const noexcept { return fields_->request_id; }
  const ErrorFields &fields() const noexcept { return *fields_; }

 private:
  std::shared_ptr<const ErrorFields> fields_;
};

/// The MAC is wrong: the daemon reported it, or the MAC has another length than that of the algorithm. Adapters also
/// throw this error for a header or token that they refuse. Do not trust the message.
class InvalidMac : public Error {
 public:
  using Error::Error;
  ~InvalidMac() override;
};

/// The message is longer than the limit. With the reason `REQUEST_TOO_LONG`, the sizes are those of the request.
class MessageTooLong : public Error {
 public:
  /// @param limit the maximum length of a message or request in bytes; 0 if the daemon did not report it
  /// @param size the length of the message in bytes
  MessageTooLong(ErrorFields fields, std::size_t limit, std::size_t size);
  ~MessageTooLong() override;

  std::size_t limit() const noexcept { return limit_; }
  std::size_t size() const noexcept { return size_; }

 private:
  std::size_t limit_;
  std::size_t size_;
};

/// TLS with the daemon failed. The text has the cause.
class TlsFailed : public Error {
 public:
  using Error::Error;
  ~TlsFailed() override;
};

/// The client is closed, also during the call, or belongs to the parent process.
class Closed : public Error {
 public:
  using Error::Error;
  ~Closed() override;
};

/// The deadline of the call passed before an answer. There is no verdict.
class DeadlineExceeded : public Error {
 public:
  using Error::Error;
  ~DeadlineExceeded() override;
};

/// Returns the status of HTTP for a webhook or token that was not verified:
///
/// - 401: it is wrong (`InvalidMac`)
/// - 413: it is too long (`MessageTooLong`)
/// - 503: there is no verdict (all other errors). The sender sends it again
int http_status(const Error &error) noexcept;

}  // namespace hmacd
