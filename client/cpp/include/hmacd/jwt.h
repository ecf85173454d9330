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

/// Returns a token. The algorithm is that of the key. The header and the claims in base64url have at most
/// `Settings::max_message_bytes` bytes.
///
/// @param kid the id of the key in the header
/// @param claims a JSON object in UTF-8. It is signed as it is
/// @throws Error `INVALID_ARGUMENT` if the claims are not a JSON object, or the key is of HMAC_SHA_224; errors of the
/// call
std::string sign(const Key &key, std::string_view kid, std::string_view claims, const CallOptions &options = {});

/// Returns the claims of a token, a JSON object in UTF-8.
///
/// The `kid` of the token selects the key, and the key the algorithm. A token with another `alg` than the key's, or
/// with another `kid`, is refused without a call. `exp` and `nbf` are checked without tolerance if the token has them;
/// other claims are for the caller. Tokens with `crit` are refused.
///
/// @throws InvalidMac the token is malformed, has another key or algorithm, a wrong signature, or is not valid now
/// @throws Error any other error: there is no verdict
std::string verify(const Keys &keys, std::string_view token,
                   std::chrono::system_clock::time_point now = std::chrono::system_clock::now(),
                   const CallOptions &options = {});

}  // namespace hmacd::jwt
