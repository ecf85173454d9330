#include "hmacd/error.h"

#include <utility>

namespace hmacd {
namespace {

std::string text(const ErrorFields &fields, std::string_view problem) {
  const std::string where = fields.target.empty() ? "no target" : "target " + fields.target;
  return fields.reason + ": " + std::string(problem) + " (" + where + ", " + std::to_string(fields.attempts) +
         " attempts)";
}

std::string too_long(const ErrorFields &fields, std::size_t limit, std::size_t size) {
  const std::string what = fields.reason == "REQUEST_TOO_LONG" ? "request" : "message";
  std::string text = "the " + what + " has " + std::to_string(size) + " bytes";
  if (limit > 0) text += "; the limit is " + std::to_string(limit);
  return text;
}

}  // namespace

Error::Error(ErrorFields fields, std::string_view problem)
    : std::runtime_error(text(fields, problem)), fields_(std::make_shared<const ErrorFields>(std::move(fields))) {}

MessageTooLong::MessageTooLong(ErrorFields fields, std::size_t limit, std::size_t size)
    : Error(fields, too_long(fields, limit, size)), limit_(limit), size_(size) {}

int http_status(const Error &error) noexcept {
  if (dynamic_cast<const InvalidMac *>(&error) != nullptr) return 401;
  return dynamic_cast<const MessageTooLong *>(&error) != nullptr ? 413 : 503;
}

// Here, so that each type has one vtable and one type information in the library.
Error::~Error() = default;
InvalidMac::~InvalidMac() = default;
MessageTooLong::~MessageTooLong() = default;
TlsFailed::~TlsFailed() = default;
Closed::~Closed() = default;
DeadlineExceeded::~DeadlineExceeded() = default;

}  // namespace hmacd
