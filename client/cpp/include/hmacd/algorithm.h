/// The MAC algorithms of hmacd.
#pragma once

#include <cstddef>

namespace hmacd {

/// HMAC (RFC 2104) with a SHA-2 hash. The algorithm of a key never changes.
enum class Algorithm { hmac_sha_224 = 1, hmac_sha_256 = 2, hmac_sha_384 = 3, hmac_sha_512 = 4 };

/// The length of a MAC in bytes: 28, 32, 48 or 64.
std::size_t mac_bytes(Algorithm algorithm) noexcept;

/// The name, for example `HMAC_SHA_256`.
const char *name(Algorithm algorithm) noexcept;

}  // namespace hmacd
