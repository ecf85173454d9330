// The program of client/conformance: makes one call for each line of JSON, and prints its outcome.

#include <hmacd/hmacd.h>
#include <openssl/evp.h>

#include <chrono>
#include <exception>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>

namespace {

using nlohmann::json;

std::string to_base64(const std::string &bytes) {
  std::string text(4 * ((bytes.size() + 2) / 3) + 1, '\0');  // With the zero that OpenSSL appends.
  const auto *data = reinterpret_cast<const unsigned char *>(bytes.data());
  text.resize(EVP_EncodeBlock(reinterpret_cast<unsigned char *>(text.data()), data, static_cast<int>(bytes.size())));
  return text;
}

std::string from_base64(const std::string &text) {
  std::string bytes(text.size() / 4 * 3, '\0');
  const auto *data = reinterpret_cast<const unsigned char *>(text.data());
  if (EVP_DecodeBlock(reinterpret_cast<unsigned char *>(bytes.data()), data, static_cast<int>(text.size())) < 0) {
    throw std::invalid_argument("a field is not base64");
  }
  // OpenSSL decodes the padding to zeros.
  const auto last = text.find_last_not_of('=');
  bytes.resize(last == std::string::npos ? 0 : bytes.size() - (text.size() - 1 - last));
  return bytes;
}

hmacd::Algorithm algorithm_of(const std::string &name) {
  using hmacd::Algorithm;
  for (const auto algorithm :
       {Algorithm::hmac_sha_224, Algorithm::hmac_sha_256, Algorithm::hmac_sha_384, Algorithm::hmac_sha_512}) {
    if (name == hmacd::name(algorithm)) return algorithm;
  }
  throw std::invalid_argument("unknown algorithm " + name);
}

json outcome(const hmacd::Client &client, const json &request) {
  const std::string operation = request["operation"];
  if (operation == "doctor") return {{"outcome", "lines"}, {"lines", client.doctor()}};
  hmacd::CallOptions options;
  if (request.contains("timeout_ms")) {
    options.deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(request["timeout_ms"].get<int>());
  }
  const std::string name = request["key"];
  if (operation == "open_key") {
    const hmacd::Key key = client.open_key(name, options);
    return {{"outcome", "key"}, {"algorithm", hmacd::name(key.algorithm())}, {"arn", key.arn()}};
  }
  const hmacd::Key key = client.key(name, algorithm_of(request["algorithm"]));
  const std::string message = from_base64(request["message"]);
  if (operation == "generate") return {{"outcome", "mac"}, {"mac", to_base64(key.generate(message, options))}};
  key.verify(message, from_base64(request["mac"]), options);
  return {{"outcome", "right"}};
}

json fields(const char *type, const hmacd::Error &error) {
  return {{"outcome", "error"},
          {"type", type},
          {"text", error.what()},
          {"reason", error.reason()},
          {"retryable", error.retryable()},
          {"may_have_run", error.may_have_run()},
          {"target", error.target()},
          {"attempts", error.attempts()},
          {"request_id", error.request_id()}};
}

// The outcome of a call that threw the current exception.
json failure() {
  try {
    throw;
  } catch (const hmacd::InvalidMac &error) {
    return fields("InvalidMac", error);
  } catch (const hmacd::MessageTooLong &error) {
    json found = fields("MessageTooLong", error);
    found["limit"] = error.limit();
    found["size"] = error.size();
    return found;
  } catch (const hmacd::TlsFailed &error) {
    return fields("TlsFailed", error);
  } catch (const hmacd::Closed &error) {
    return fields("Closed", error);
  } catch (const hmacd::DeadlineExceeded &error) {
    return fields("DeadlineExceeded", error);
  } catch (const hmacd::Error &error) {
    return fields("Hmacd", error);
  } catch (const std::exception &error) {
    return {{"outcome", "error"}, {"type", "std::exception"}, {"text", error.what()}};
  }
}

std::unique_ptr<hmacd::Client> open() { return std::make_unique<hmacd::Client>(hmacd::Settings::from_env()); }

void run() {
  auto client = open();
  for (std::string line; std::getline(std::cin, line);) {
    const json request = json::parse(line);
    const std::string operation = request["operation"];
    json result = {{"outcome", "done"}};
    if (operation == "open" || operation == "close") {
      client->close();
      if (operation == "open") client = open();
    } else {
      try {
        result = outcome(*client, request);
      } catch (...) {
        result = failure();
      }
    }
    // A text of a peer may not be UTF-8.
    std::cout << result.dump(-1, ' ', false, json::error_handler_t::replace) << std::endl;
  }
}

}  // namespace

int main() {
  try {
    run();
  } catch (const std::exception &error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
