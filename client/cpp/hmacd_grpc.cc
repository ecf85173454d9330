#include "hmacd_grpc.h"

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <stdexcept>

#include "error_info.pb.h"

static std::string read(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  std::string content{std::istreambuf_iterator<char>(file), {}};
  if (!file) throw std::runtime_error("cannot read " + path);
  return content;
}

std::string env(const char *variable) {
  const char *value = std::getenv(variable);
  if (value == nullptr) throw std::runtime_error(std::string(variable) + " is not set");
  return value;
}

std::shared_ptr<grpc::ChannelCredentials> credentials_from_env() {
  grpc::SslCredentialsOptions options;
  options.pem_root_certs = read(env("HMACD_CA"));
  options.pem_private_key = read(env("HMACD_KEY"));
  options.pem_cert_chain = read(env("HMACD_CERT"));
  return grpc::SslCredentials(options);
}

std::shared_ptr<grpc::ChannelCredentials> trust_from_env() {
  grpc::SslCredentialsOptions options;
  options.pem_root_certs = read(env("HMACD_CA"));
  return grpc::SslCredentials(options);
}

std::shared_ptr<grpc::Channel> connect(const std::string &target,
                                       const std::shared_ptr<grpc::ChannelCredentials> &credentials) {
  return grpc::CreateChannel(target, credentials);
}

std::string reason(const grpc::Status &status) {
  google::rpc::Status details;
  if (!details.ParseFromString(status.error_details())) return "";
  for (const auto &detail : details.details()) {
    google::rpc::ErrorInfo info;
    if (detail.UnpackTo(&info) && info.domain() == "hmacd.dev") return info.reason();
  }
  return "";
}
