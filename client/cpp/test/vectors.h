// The vectors that all client packages share.
#pragma once

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "encoding.h"
#include "hmacd/algorithm.h"

inline const nlohmann::json &vectors() {
  static const nlohmann::json vectors = nlohmann::json::parse(std::ifstream(HMACD_VECTORS));
  return vectors;
}

inline std::string vector_bytes(const nlohmann::json &text) {
  return hmacd::internal::from_hex(text.get<std::string>()).value();
}

inline std::string vector_key() { return vector_bytes(vectors()["key"]); }

inline hmacd::Algorithm algorithm(const std::string &wanted) {
  for (const auto algorithm : {hmacd::Algorithm::hmac_sha_224, hmacd::Algorithm::hmac_sha_256,
                               hmacd::Algorithm::hmac_sha_384, hmacd::Algorithm::hmac_sha_512}) {
    if (wanted == hmacd::name(algorithm)) return algorithm;
  }
  throw std::runtime_error("unknown algorithm " + wanted);
}
