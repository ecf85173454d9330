/// The JSON objects of tokens.
#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>

namespace hmacd::internal {

/// Parses a JSON object (RFC 8259) in valid UTF-8. Nothing if it is malformed, deeper than 32 levels, or has two
/// members of one name.
std::optional<nlohmann::json> parse_object(std::string_view text);

}  // namespace hmacd::internal
