// Generates and verifies a MAC with hmacd: example [KEY MESSAGE]
//
// Without a key, it creates one. The file "env" of hmacd dev sets the address and the certificates
// of hmacd in the environment.

#include <cstdio>
#include <exception>
#include <iostream>
#include <stdexcept>

#include "hmacd/v1/key_service.grpc.pb.h"
#include "hmacd/v1/mac_service.grpc.pb.h"
#include "hmacd_grpc.h"

using namespace hmacd::v1;

static void check(const grpc::Status &status) {
  if (!status.ok()) throw std::runtime_error(status.error_message());
}

static std::string hex(const std::string &bytes) {
  std::string digits;
  for (unsigned char byte : bytes) {
    char pair[3];
    std::snprintf(pair, sizeof pair, "%02x", byte);
    digits += pair;
  }
  return digits;
}

static void run(int argc, char **argv) {
  auto channel = connect(env("HMACD_TARGET"), credentials_from_env());

  std::string key_id, message = "pay 100 EUR to account 4711";
  if (argc == 3) {
    key_id = argv[1];
    message = argv[2];
  } else {
    CreateKeyRequest request;
    request.set_key_spec(KEY_SPEC_HMAC_256);
    CreateKeyResponse answer;
    Call call;
    check(KeyService::NewStub(channel)->CreateKey(&call, request, &answer));
    key_id = answer.key_metadata().key_id();
    std::cout << "key " << key_id << std::endl;
  }

  auto macs = MacService::NewStub(channel);
  VerifyMacRequest request;
  request.set_key_id(key_id);
  request.set_message(message);
  request.set_mac_algorithm(MAC_ALGORITHM_HMAC_SHA_256);
  {
    GenerateMacRequest generate;
    generate.set_key_id(key_id);
    generate.set_message(message);
    generate.set_mac_algorithm(MAC_ALGORITHM_HMAC_SHA_256);
    GenerateMacResponse answer;
    Call call;
    check(macs->GenerateMac(&call, generate, &answer));
    request.set_mac(answer.mac());
    std::cout << "mac " << hex(answer.mac()) << std::endl;
  }
  {
    // OK means that the MAC is correct. A wrong MAC is an error.
    VerifyMacResponse answer;
    Call call;
    check(macs->VerifyMac(&call, request, &answer));
    std::cout << "verified" << std::endl;
  }
  {
    request.set_message("not " + message);
    VerifyMacResponse answer;
    Call call;
    grpc::Status status = macs->VerifyMac(&call, request, &answer);
    if (reason(status) != "KMS_INVALID_MAC") {
      check(status);  // Any other error does not mean that the MAC is wrong.
      throw std::runtime_error("a changed message was not refused");
    }
    std::cout << "refused " << reason(status) << std::endl;
  }
}

int main(int argc, char **argv) {
  try {
    run(argc, argv);
  } catch (const std::exception &error) {
    std::cerr << error.what() << std::endl;
    return 1;
  }
}
