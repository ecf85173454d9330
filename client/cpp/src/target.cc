#include "target.h"

#include <cctype>

#include "invalid_argument.h"

namespace hmacd::internal {
namespace {

// The longest path of a Unix socket (sockaddr_un), without the final zero byte.
constexpr std::size_t max_socket_path = 107;

bool is_port(const std::string &port) {
  if (port.empty() || port.size() > 5) return false;
  for (const unsigned char digit : port) {
    if (!std::isdigit(digit)) return false;
  }
  const int number = std::stoi(port);
  return number >= 1 && number <= 65535;
}

bool is_host(const std::string &host, bool bracketed) {
  if (host.empty() || host.size() > 253) return false;
  for (const unsigned char c : host) {
    const bool allowed = bracketed ? std::isxdigit(c) || c == ':' || c == '.' || c == '%'
                                   : std::isalnum(c) || c == '-' || c == '.' || c == '_';
    if (!allowed) return false;
  }
  return true;
}

}  // namespace

Target parse_target(const std::string &name) {
  if (name.rfind("unix:", 0) == 0) {
    const std::string path = name.substr(5);
    if (path.size() < 2 || path[0] != '/' || path[1] == '/' || path.size() > max_socket_path ||
        path.find('\0') != std::string::npos) {
      throw invalid_argument("targets: '" + name + "' must be unix: with an absolute path of at most 107 bytes");
    }
    return {name, "unix://" + path, "", ""};
  }
  const auto colon = name.rfind(':');
  std::string host = name.substr(0, colon == std::string::npos ? 0 : colon);
  const std::string port = colon == std::string::npos ? "" : name.substr(colon + 1);
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  if (!is_host(host, bracketed) || !is_port(port)) {
    throw invalid_argument("targets: '" + name + "' must be host:port or unix:/absolute/path");
  }
  return {name, "dns:///" + name, host, port};
}

}  // namespace hmacd::internal
