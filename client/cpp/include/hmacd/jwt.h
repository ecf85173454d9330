/// JSON Web Tokens (RFC 7519) with HS256, HS384 and HS512.
#pragma once

#include <chrono>
#include <map>
#include <string>
#include <string_view>

#include "hmacd/client.h"

namespace hmacd::jwt {

/// The allowed keys by `kid`.
using Keys = std::map<std::string, Key, std::less<>>;

/// Returns a signed token. The algorithm is that of the key. The signed content (the header and the claims in
/// base64url) has at most `Settings::max_message_bytes` bytes.
///
/// @param kid the id of the key in the header
/// @param claims a JSON object in UTF-8, which the function signs without changes
/// @throws Error `INVALID_ARGUMENT` if the claims are not a JSON object, or the key is of HMAC_SHA_224; errors of the
/// call
std::string sign(const Key &key, std::string_view kid, std::string_view claims, const CallOptions &options = {});

/// Returns the claims of a token, a JSON object in UTF-8.
///
/// The `kid` of the token selects the key. The algorithm is that of the key. A token with another `alg`, or with
/// another `kid`, is refused without a call. If the token has `exp` or `nbf`, they are checked without tolerance. The
/// caller checks all other claims. A token with `crit` is refused.
///
/// @throws InvalidMac if the token is malformed, has another key or algorithm or a wrong signature, or is not valid now
/// @throws Error of any other type, if there is no verdict
std::string verify(const Keys &keys, std::string_view token,
                   std::chrono::system_clock::time_point now = std::chrono::system_clock::now(),
                   const CallOptions &options = {});

}  // namespace hmacd::jwt
