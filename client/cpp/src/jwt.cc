#include "hmacd/jwt.h"

#include <optional>

#include "encoding.h"
#include "invalid_argument.h"
#include "json.h"

namespace hmacd::jwt {
namespace {

using internal::Base64;
using internal::invalid_argument;
using internal::invalid_mac;
using nlohmann::json;

// Returns the name of the algorithm (RFC 7518).
const char *alg(const Key &key) {
  switch (key.algorithm()) {
    case Algorithm::hmac_sha_256: return "HS256";
    case Algorithm::hmac_sha_384: return "HS384";
    case Algorithm::hmac_sha_512: return "HS512";
    case Algorithm::hmac_sha_224: break;
  }
  throw invalid_argument("key: its algorithm HMAC_SHA_224 is not one of JWT");
}

std::string decode(std::string_view part, const char *what) {
  auto bytes = internal::from_base64(part, Base64::url);
  if (!bytes) throw invalid_mac(std::string("the ") + what + " of the token is not base64url");
  return *std::move(bytes);
}

json decode_object(const std::string &text, const char *what) {
  auto object = internal::parse_object(text);
  if (!object) throw invalid_mac(std::string("the ") + what + " of the token is not a JSON object");
  return *std::move(object);
}

bool has_text(const json &object, const char *name, std::string_view expected) {
  const auto member = object.find(name);
  return member != object.end() && member->is_string() && member->get_ref<const std::string &>() == expected;
}

// Selects the key by the header.
const Key &select(const Keys &keys, const json &header) {
  const auto kid = header.find("kid");
  if (kid == header.end() || !kid->is_string()) throw invalid_mac("the token has no kid");
  const auto key = keys.find(kid->get_ref<const std::string &>());
  if (key == keys.end()) throw invalid_mac("the kid of the token is not in the table of keys");
  if (!has_text(header, "alg", alg(key->second))) throw invalid_mac("the alg of the token is not that of the key");
  if (header.contains("crit")) throw invalid_mac("the token has a critical header parameter");
  // RFC 7797: without base64url, the same signed text has another payload.
  if (const auto b64 = header.find("b64"); b64 != header.end() && *b64 != json(true)) {
    throw invalid_mac("the payload of the token is not base64url");
  }
  return key->second;
}

// Returns a claim with a time in seconds.
std::optional<double> time_claim(const json &claims, const char *name) {
  const auto claim = claims.find(name);
  if (claim == claims.end()) return std::nullopt;
  if (!claim->is_number()) throw invalid_mac(std::string(name) + " of the token is not a number");
  return claim->get<double>();
}

void check_times(const json &claims, std::chrono::system_clock::time_point now) {
  const double seconds = std::chrono::duration<double>(now.time_since_epoch()).count();
  const auto exp = time_claim(claims, "exp"), nbf = time_claim(claims, "nbf");
  if (exp && seconds >= *exp) throw invalid_mac("the token has expired");
  if (nbf && seconds < *nbf) throw invalid_mac("the token is not valid yet");
}

}  // namespace

std::string sign(const Key &key, std::string_view kid, std::string_view claims, const CallOptions &options) {
  const char *const algorithm = alg(key);
  if (!internal::parse_object(claims)) throw invalid_argument("claims: must be a JSON object without duplicate names");
  std::string header;
  try {
    // The order of the members is part of the signed text.
    header = nlohmann::ordered_json{{"alg", algorithm}, {"typ", "JWT"}, {"kid", kid}}.dump();
  } catch (const json::type_error &) {
    throw invalid_argument("kid: must be UTF-8");
  }
  const std::string message = internal::to_base64(header, Base64::url) + "." + internal::to_base64(claims, Base64::url);
  return message + "." + internal::to_base64(key.generate(message, options), Base64::url);
}

std::string verify(const Keys &keys, std::string_view token, std::chrono::system_clock::time_point now,
                   const CallOptions &options) {
  const auto first = token.find('.');
  const auto second = first == std::string_view::npos ? first : token.find('.', first + 1);
  if (second == std::string_view::npos) throw invalid_mac("the token does not have three parts");
  const json header = decode_object(decode(token.substr(0, first), "header"), "header");
  const Key &key = select(keys, header);
  const std::string mac = decode(token.substr(second + 1), "signature");
  key.verify(token.substr(0, second), mac, options);
  std::string claims = decode(token.substr(first + 1, second - first - 1), "claims");
  check_times(decode_object(claims, "claims"), now);
  return claims;
}

}  // namespace hmacd::jwt
