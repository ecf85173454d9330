/// Strict text encodings of bytes.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace hmacd::internal {

enum class Base64 {
  /// With `+`, `/` and padding.
  standard,
  /// With `-` and `_`, without padding (RFC 7515).
  url,
};

std::string to_base64(std::string_view bytes, Base64 alphabet);

/// Decodes. Nothing if the text is not the one encoding of some bytes.
std::optional<std::string> from_base64(std::string_view text, Base64 alphabet);

/// Encodes in lowercase.
std::string to_hex(std::string_view bytes);

/// Decodes digits in both cases.
std::optional<std::string> from_hex(std::string_view text);

}  // namespace hmacd::internal
