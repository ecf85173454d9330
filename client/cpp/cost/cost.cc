// The caller of scripts/bench-clients: the cost of a call of the package, or of the stub alone.
//
// cost stub|package KEY WARM_UP CALLS CONCURRENCY. The script has the meaning of the arguments, of the environment and
// of the output.

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <hmacd/hmacd.h>

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <future>
#include <iostream>
#include <iterator>

#include "hmacd/v1/mac_service.grpc.pb.h"

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::seconds timeout{5};
const std::string message(32, 'm');

// Makes one call, and returns the MAC. Thread-safe.
using Caller = std::function<std::string()>;

std::string variable(const char *name) {
  const char *value = std::getenv(name);
  if (value == nullptr) throw std::invalid_argument(std::string(name) + " is not set");
  return value;
}

std::string file(const char *name) {
  std::ifstream stream(variable(name), std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

Caller stub(const std::string &key) {
  const auto credentials = grpc::SslCredentials({file("HMACD_CA"), file("HMACD_KEY"), file("HMACD_CERT")});
  const auto channel = grpc::CreateChannel(variable("HMACD_TARGET"), credentials);
  const std::shared_ptr<hmacd::v1::MacService::Stub> service = hmacd::v1::MacService::NewStub(channel);
  return [service, key] {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + timeout);
    hmacd::v1::GenerateMacRequest request;
    request.set_key_id(key);
    request.set_message(message);
    request.set_mac_algorithm(hmacd::v1::MAC_ALGORITHM_HMAC_SHA_256);
    hmacd::v1::GenerateMacResponse response;
    const grpc::Status status = service->GenerateMac(&context, request, &response);
    if (!status.ok()) throw std::runtime_error(status.error_message());
    return std::move(*response.mutable_mac());
  };
}

Caller package(const std::string &name) {
  hmacd::Settings settings = hmacd::Settings::from_env();
  settings.timeout = timeout;
  const auto client = std::make_shared<hmacd::Client>(settings);
  return [client, key = client->key(name, hmacd::Algorithm::hmac_sha_256)] { return key.generate(message); };
}

// Makes calls in closed loops. Returns their number.
long loops(const Caller &call, const std::string &right, long calls, long concurrency) {
  const long each = (calls + concurrency - 1) / concurrency;
  std::vector<std::future<void>> ends;
  for (long i = 0; i < concurrency; ++i) {
    ends.push_back(std::async(std::launch::async, [&] {
      for (long made = 0; made < each; ++made) {
        if (call() != right) throw std::runtime_error("a wrong MAC");
      }
    }));
  }
  for (auto &end : ends) end.get();
  return each * concurrency;
}

void measure(const Caller &call, long warm_up, long calls, long concurrency) {
  const std::string right = call();
  std::cout << "ready" << std::endl;
  loops(call, right, warm_up, concurrency);
  const auto start = Clock::now();
  const std::clock_t cpu = std::clock();  // The processor time of the process.
  const long made = loops(call, right, calls, concurrency);
  const double cpu_seconds = static_cast<double>(std::clock() - cpu) / CLOCKS_PER_SEC;
  const std::chrono::duration<double> seconds = Clock::now() - start;
  std::printf("{\"calls\":%ld,\"seconds\":%f,\"cpu_seconds\":%f}\n", made, seconds.count(), cpu_seconds);
}

}  // namespace

int main(int argc, char **argv) {
  const std::string mode = argc == 6 ? argv[1] : "";
  if (mode != "stub" && mode != "package") {
    std::cerr << "usage: cost stub|package KEY WARM_UP CALLS CONCURRENCY\n";
    return 2;
  }
  try {
    measure(mode == "stub" ? stub(argv[2]) : package(argv[2]), std::stol(argv[3]), std::stol(argv[4]),
            std::stol(argv[5]));
  } catch (const std::exception &error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
