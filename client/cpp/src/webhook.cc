#include "hmacd/webhook.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <exception>
#include <utility>

#include "encoding.h"
#include "invalid_argument.h"

namespace hmacd::webhook {
namespace {

using internal::Base64;
using internal::invalid_argument;
using internal::invalid_mac;

constexpr std::int64_t tolerance_seconds = 300;
constexpr std::size_t max_signatures = 8;
constexpr std::size_t signature_bytes = 32;

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::int64_t seconds(std::chrono::system_clock::time_point time) {
  return std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count();
}

/// The parts of the headers of a webhook.
struct Signed {
  std::string id;
  /// The time stamp as in the header: digits.
  std::string time;
  /// The signatures of the known version, decoded.
  std::vector<std::string> macs;
};

std::string content(Format format, const std::string &id, const std::string &time, BytesView body) {
  std::string content;
  switch (format) {
    case Format::github: break;
    case Format::stripe: content = time + "."; break;
    case Format::slack: content = "v0:" + time + ":"; break;
    case Format::standard: content = id + "." + time + "."; break;
  }
  return content.append(body.chars());
}

const std::string &header(const Headers &headers, const char *name) {
  const auto found = headers.find(name);
  if (found == headers.end()) throw invalid_mac(std::string("the header ") + name + " is missing");
  return found->second;
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const auto end = text.find(separator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

// If the text starts with the prefix, removes it.
bool take(std::string_view &text, std::string_view prefix) {
  if (text.substr(0, prefix.size()) != prefix) return false;
  text.remove_prefix(prefix.size());
  return true;
}

void add(std::vector<std::string> &macs, const std::optional<std::string> &mac) {
  if (!mac || mac->size() != signature_bytes) throw invalid_mac("a signature is malformed");
  if (macs.size() == max_signatures) throw invalid_mac("the header has more than 8 signatures");
  macs.push_back(*mac);
}

Signed parse_stripe(const std::string &value) {
  Signed parsed;
  bool timed = false;
  for (std::string_view part : split(value, ',')) {
    if (take(part, "t=")) {
      if (std::exchange(timed, true)) throw invalid_mac("the header has two time stamps");
      parsed.time = part;
    } else if (take(part, "v1=")) {
      add(parsed.macs, internal::from_hex(part));
    }
  }
  return parsed;
}

// With a dot in the id, the same signed text would have another id, time stamp and body.
bool is_id(const std::string &id) {
  const bool valid = std::all_of(id.begin(), id.end(), [](unsigned char c) { return c > ' ' && c < 0x7F && c != '.'; });
  return !id.empty() && id.size() <= 256 && valid;
}

Signed parse_standard(const Headers &headers) {
  Signed parsed{header(headers, "webhook-id"), header(headers, "webhook-timestamp"), {}};
  if (!is_id(parsed.id)) throw invalid_mac("the id is malformed");
  for (std::string_view part : split(header(headers, "webhook-signature"), ' ')) {
    // Other versions are signatures of other algorithms.
    if (take(part, "v1,")) add(parsed.macs, internal::from_base64(part, Base64::standard));
  }
  return parsed;
}

// Reads the one signature of a header.
std::vector<std::string> prefixed(std::string_view value, std::string_view prefix) {
  std::vector<std::string> macs;
  if (take(value, prefix)) add(macs, internal::from_hex(value));
  return macs;
}

Signed parse(Format format, const Headers &headers) {
  switch (format) {
    case Format::github: return {"", "", prefixed(header(headers, "X-Hub-Signature-256"), "sha256=")};
    case Format::stripe: return parse_stripe(header(headers, "Stripe-Signature"));
    case Format::slack:
      return {"", header(headers, "X-Slack-Request-Timestamp"), prefixed(header(headers, "X-Slack-Signature"), "v0=")};
    case Format::standard: return parse_standard(headers);
  }
  throw invalid_argument("format: is unknown");
}

void check_time(const std::string &time, std::chrono::system_clock::time_point now) {
  constexpr std::size_t max_digits = 12;
  const bool digits = std::all_of(time.begin(), time.end(), [](unsigned char c) { return std::isdigit(c) != 0; });
  const bool leading_zero = time.size() > 1 && time[0] == '0';
  if (time.empty() || time.size() > max_digits || !digits || leading_zero) {
    throw invalid_mac("the time stamp is malformed");
  }
  if (std::llabs(seconds(now) - std::atoll(time.c_str())) > tolerance_seconds) {
    throw invalid_mac("the time stamp differs from the time by more than 300 s");
  }
}

void check_key(const Key &key) {
  if (key.algorithm() == Algorithm::hmac_sha_256) return;
  throw invalid_argument(std::string("key: its algorithm ") + name(key.algorithm()) + " must be HMAC_SHA_256");
}

}  // namespace

bool HeaderLess::operator()(std::string_view a, std::string_view b) const noexcept {
  return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end(),
                                      [](char x, char y) { return lower(x) < lower(y); });
}

Headers sign(Format format, const Key &key, BytesView body, const Stamp &stamp, const CallOptions &options) {
  check_key(key);
  if (format == Format::standard && !is_id(stamp.id)) {
    throw invalid_argument("id: must have 1 to 256 printable ASCII characters without spaces and dots");
  }
  const std::string time = std::to_string(seconds(stamp.time));
  const std::string mac = key.generate(content(format, stamp.id, time, body), options);
  switch (format) {
    case Format::github: return {{"X-Hub-Signature-256", "sha256=" + internal::to_hex(mac)}};
    case Format::stripe: return {{"Stripe-Signature", "t=" + time + ",v1=" + internal::to_hex(mac)}};
    case Format::slack:
      return {{"X-Slack-Signature", "v0=" + internal::to_hex(mac)}, {"X-Slack-Request-Timestamp", time}};
    case Format::standard:
      return {{"webhook-id", stamp.id},
              {"webhook-timestamp", time},
              {"webhook-signature", "v1," + internal::to_base64(mac, Base64::standard)}};
  }
  throw invalid_argument("format: is unknown");
}

void verify(Format format, const std::vector<Key> &keys, BytesView body, const Headers &headers,
            std::chrono::system_clock::time_point now, const CallOptions &options) {
  if (keys.empty()) throw invalid_argument("keys: is empty; it must have 1 key or more");
  std::for_each(keys.begin(), keys.end(), check_key);
  const Signed parsed = parse(format, headers);
  if (format != Format::github) check_time(parsed.time, now);
  if (parsed.macs.empty()) throw invalid_mac("the header has no signature of a known version");
  const std::string message = content(format, parsed.id, parsed.time, body);
  const auto start = std::chrono::steady_clock::now();
  std::exception_ptr undecided;
  for (const auto &key : keys) {
    CallOptions shared = options;
    shared.deadline = start + key.timeout();
    if (options.deadline) shared.deadline = std::min(*shared.deadline, *options.deadline);
    for (const auto &mac : parsed.macs) {
      try {
        key.verify(message, mac, shared);
        return;
      } catch (const InvalidMac &) {
        // Another signature or key may be right.
      } catch (const Error &error) {
        // The daemon makes no MAC of a reserved message: the signature is not one of the key.
        if (!undecided && error.reason() != "RESERVED_MESSAGE") undecided = std::current_exception();
      }
    }
  }
  if (undecided) std::rethrow_exception(undecided);
  throw invalid_mac("no key has the signature");
}

}  // namespace hmacd::webhook
