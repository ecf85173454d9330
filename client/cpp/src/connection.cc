#include "connection.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>

#include "version.h"

namespace hmacd::internal {
namespace {

grpc::ChannelArguments arguments() {
  grpc::ChannelArguments arguments;
  arguments.SetUserAgentPrefix(std::string("hmacd-cpp/") + version);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 10'000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 3000);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  // At most 1 s with gRPC's jitter of 20 %.
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 800);
  // The name of this argument misleads: it is the limit of one connection attempt. A lost SYN is repeated after 1 s,
  // and then after twice the time, so a short limit returns sooner after an outage.
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 3000);
  arguments.SetInt(GRPC_ARG_DNS_MIN_TIME_BETWEEN_RESOLUTIONS_MS, 1000);
  arguments.SetLoadBalancingPolicyName("round_robin");
  // Channels do not share connections: a new channel is a new connection.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  // The client repeats attempts itself.
  arguments.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  return arguments;
}

std::shared_ptr<grpc::ChannelCredentials> credentials(const Target &target, const PemFiles &files) {
  if (target.is_unix()) return grpc::InsecureChannelCredentials();
  return grpc::SslCredentials({files.ca, files.private_key, files.certificate});
}

}  // namespace

Connection::Connection(const Target &target, const PemFiles &files)
    : channel_(grpc::CreateCustomChannel(target.address, credentials(target, files), arguments())), stub_(channel_) {}

bool Connection::failing() const { return channel_->GetState(false) == GRPC_CHANNEL_TRANSIENT_FAILURE; }

void Connection::hurry() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  auto last = hurried_.load();
  if (now - std::chrono::steady_clock::duration(last) < std::chrono::seconds(1)) return;
  if (hurried_.compare_exchange_strong(last, now.count()))
    grpc::experimental::ChannelResetConnectionBackoff(channel_.get());
}

}  // namespace hmacd::internal
