/// Signed webhooks.
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "hmacd/client.h"

namespace hmacd::webhook {

/// The format of the signature. The keys have the algorithm HMAC_SHA_256.
enum class Format {
  /// `X-Hub-Signature-256`. It has no timestamp.
  github,
  /// `Stripe-Signature`.
  stripe,
  /// `X-Slack-Signature`, `X-Slack-Request-Timestamp`.
  slack,
  /// Standard Webhooks: `webhook-id`, `webhook-timestamp`, `webhook-signature`.
  standard,
};

/// Compares names of headers. The case of ASCII letters has no meaning.
struct HeaderLess {
  using is_transparent = void;
  bool operator()(std::string_view a, std::string_view b) const noexcept;
};

/// Headers of HTTP: values by name. A name has one value. If a request repeats a header, refuse the request: the
/// signature and its time stamp occur once.
using Headers = std::map<std::string, std::string, HeaderLess>;

/// The signed values beside the body.
struct Stamp {
  /// The time of the signature, to the second.
  std::chrono::system_clock::time_point time = std::chrono::system_clock::now();
  /// The id of the message, for `Format::standard` only: 1 to 256 printable ASCII characters without spaces and dots.
  std::string id;
};

/// Returns the headers of a webhook. The signed content (the body with the prefix of the format) has at most
/// `Settings::max_message_bytes` bytes.
/// @throws Error
Headers sign(Format format, const Key &key, BytesView body, const Stamp &stamp = {}, const CallOptions &options = {});

/// Returns if one of the signatures is right under one of the keys. The timestamp may differ from `now` by at most
/// 300 s in both directions. A header with more than 8 signatures is refused. All calls together end at the deadline of
/// the options, or after the timeout of the client.
///
/// @param body exactly the received bytes
/// @throws InvalidMac if a header is missing or malformed, the timestamp is out of tolerance, or no key has made a
/// signature
/// @throws Error of any other type, if a call gave no verdict and no other key has made a signature
void verify(Format format, const std::vector<Key> &keys, BytesView body, const Headers &headers,
            std::chrono::system_clock::time_point now = std::chrono::system_clock::now(),
            const CallOptions &options = {});

}  // namespace hmacd::webhook
