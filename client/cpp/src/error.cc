#include "hmacd/error.h"

#include <utility>

namespace hmacd {
namespace {

std::string text(const ErrorFields &fields, std::string_view problem) {
  std::string text = fields.reason + ": " + std::string(problem);
  if (fields.attempts > 0) {
    text += " (target " + fields.target + ", " + std::to_string(fields.attempts) + " attempts)";
  }
  return text;
}

std::string too_long(std::size_t limit, std::size_t size) {
  std::string text = "the message has " + std::to_string(size) + " bytes";
  if (limit > 0) text += "; the limit is " + std::to_string(limit);
  return text;
}

}  // namespace

Error::Error(ErrorFields fields, std::string_view problem)
    : std::runtime_error(text(fields, problem)), fields_(std::make_shared<const ErrorFields>(std::move(fields))) {}

MessageTooLong::MessageTooLong(ErrorFields fields, std::size_t limit, std::size_t size)
    : Error(std::move(fields), too_long(limit, size)), limit_(limit), size_(size) {}

// Here, so that each type has one vtable and one type information in the library.
Error::~Error() = default;
InvalidMac::~InvalidMac() = default;
MessageTooLong::~MessageTooLong() = default;
TlsFailed::~TlsFailed() = default;
Closed::~Closed() = default;
DeadlineExceeded::~DeadlineExceeded() = default;

}  // namespace hmacd
