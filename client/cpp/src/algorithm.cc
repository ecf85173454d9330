#include "hmacd/algorithm.h"

namespace hmacd {

std::size_t mac_bytes(Algorithm algorithm) noexcept {
  switch (algorithm) {
    case Algorithm::hmac_sha_224: return 28;
    case Algorithm::hmac_sha_256: return 32;
    case Algorithm::hmac_sha_384: return 48;
    case Algorithm::hmac_sha_512: return 64;
  }
  return 0;
}

const char *name(Algorithm algorithm) noexcept {
  switch (algorithm) {
    case Algorithm::hmac_sha_224: return "HMAC_SHA_224";
    case Algorithm::hmac_sha_256: return "HMAC_SHA_256";
    case Algorithm::hmac_sha_384: return "HMAC_SHA_384";
    case Algorithm::hmac_sha_512: return "HMAC_SHA_512";
  }
  return "";
}

}  // namespace hmacd
