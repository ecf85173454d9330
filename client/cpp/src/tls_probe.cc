#include "tls_probe.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netdb.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

namespace hmacd::internal {
namespace {

using Clock = std::chrono::steady_clock;
using Kind = Diagnosis::Kind;

class Socket {
 public:
  explicit Socket(int family) : fd_(socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {}
  Socket(Socket &&other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  ~Socket() {
    if (fd_ >= 0) close(fd_);
  }
  int fd() const { return fd_; }

 private:
  int fd_;
};

struct SslDeleter {
  void operator()(SSL_CTX *context) const { SSL_CTX_free(context); }
  void operator()(SSL *ssl) const { SSL_free(ssl); }
  void operator()(addrinfo *addresses) const { freeaddrinfo(addresses); }
};

// Waits for the socket. Returns false at the deadline.
bool wait(int fd, short events, Clock::time_point deadline) {
  while (true) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    pollfd entry{fd, events, 0};
    const int ready = poll(&entry, 1, static_cast<int>(std::max<long>(0, left)));
    if (ready >= 0 || errno != EINTR) return ready > 0;
  }
}

// Returns 0, or the errno of the failure.
int connect_to(const Socket &socket, const sockaddr *address, socklen_t length, Clock::time_point deadline) {
  if (socket.fd() < 0) return errno;
  if (connect(socket.fd(), address, length) == 0) return 0;
  if (errno != EINPROGRESS) return errno;
  if (!wait(socket.fd(), POLLOUT, deadline)) return ETIMEDOUT;
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(socket.fd(), SOL_SOCKET, SO_ERROR, &error, &size);
  return error;
}

std::string connect_problem(int error) {
  return error == ECONNREFUSED ? "connection refused" : std::string("no connection: ") + std::strerror(error);
}

Diagnosis diagnose_unix(const Target &target, Clock::time_point deadline) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string path = target.name.substr(std::strlen("unix:"));
  std::copy_n(path.data(), std::min(path.size(), sizeof address.sun_path - 1), address.sun_path);
  const Socket socket(AF_UNIX);
  const int error = connect_to(socket, reinterpret_cast<sockaddr *>(&address), sizeof address, deadline);
  if (error == 0) return {};
  return {Kind::unreachable, connect_problem(error)};
}

std::string verification_problem(long result) {
  switch (result) {
    // OpenSSL also checks the validity of the intermediate certificates and of the authority.
    case X509_V_ERR_CERT_HAS_EXPIRED: return "the certificate of the daemon, or of its authority, has expired";
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH: return "the certificate of the daemon is for another name";
    default:
      return std::string("the certificate of the daemon is not trusted: ") + X509_verify_cert_error_string(result);
  }
}

// Whether the peer sent the alert of TLS about the client certificate.
bool refused_client_certificate(int reason) {
  switch (reason - SSL_AD_REASON_OFFSET) {
    case SSL_AD_BAD_CERTIFICATE:
    case SSL_AD_UNSUPPORTED_CERTIFICATE:
    case SSL_AD_CERTIFICATE_REVOKED:
    case SSL_AD_CERTIFICATE_EXPIRED:
    case SSL_AD_CERTIFICATE_UNKNOWN:
    case SSL_AD_UNKNOWN_CA:
    case SSL_AD_ACCESS_DENIED:
    case TLS13_AD_CERTIFICATE_REQUIRED: return true;
    default: return false;
  }
}

// The problem of the operation of OpenSSL that failed: the handshake, or what follows it.
Diagnosis ssl_problem(const SSL *ssl, bool handshake) {
  const unsigned long error = ERR_peek_error();
  ERR_clear_error();
  const int reason = ERR_GET_REASON(error);
  const long verified = SSL_get_verify_result(ssl);
  if (verified != X509_V_OK) return {Kind::tls, verification_problem(verified)};
  if (refused_client_certificate(reason)) return {Kind::tls, "the daemon refused the client certificate"};
  switch (reason) {
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_HTTP_REQUEST:
    case SSL_R_PACKET_LENGTH_TOO_LONG:
    case SSL_R_UNKNOWN_PROTOCOL: return {Kind::tls, "the peer does not speak TLS"};
    case 0:
    case SSL_R_UNEXPECTED_EOF_WHILE_READING:
      // Some servers send no alert.
      return {Kind::tls, handshake ? "the peer closed the connection during the TLS handshake"
                                   : "the peer closed the connection after the TLS handshake: it probably refused the "
                                     "client certificate"};
    default: {
      const char *text = ERR_reason_error_string(error);
      return {Kind::tls, std::string("TLS failed: ") + (text == nullptr ? "unknown error" : text)};
    }
  }
}

void set_identity(SSL_CTX *context, const Identity &identity) {
  X509_STORE *store = SSL_CTX_get_cert_store(context);
  for (const auto &authority : identity.authorities) X509_STORE_add_cert(store, authority.get());
  SSL_CTX_use_certificate(context, identity.chain.front().get());
  for (std::size_t i = 1; i < identity.chain.size(); ++i) {
    SSL_CTX_add1_chain_cert(context, identity.chain[i].get());
  }
  SSL_CTX_use_PrivateKey(context, identity.key.get());
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
}

void set_name(SSL *ssl, const std::string &host) {
  X509_VERIFY_PARAM *parameters = SSL_get0_param(ssl);
  if (X509_VERIFY_PARAM_set1_ip_asc(parameters, host.c_str()) == 1) return;
  X509_VERIFY_PARAM_set1_host(parameters, host.c_str(), host.size());
  SSL_set_tlsext_host_name(ssl, host.c_str());
}

// Repeats an operation of OpenSSL until it ends. Returns its problem, or nothing after a success.
template <class Operation>
std::optional<Diagnosis> complete(SSL *ssl, bool handshake, Clock::time_point deadline, Operation operation) {
  while (true) {
    ERR_clear_error();
    const int result = operation();
    if (result > 0) return std::nullopt;
    short events;
    switch (SSL_get_error(ssl, result)) {
      case SSL_ERROR_WANT_READ: events = POLLIN; break;
      case SSL_ERROR_WANT_WRITE: events = POLLOUT; break;
      default: return ssl_problem(ssl, handshake);
    }
    if (!wait(SSL_get_fd(ssl), events, deadline)) return Diagnosis{Kind::unreachable, "no answer to TLS"};
  }
}

Diagnosis diagnose_tls(const Socket &socket, const Target &target, const Identity &identity,
                       Clock::time_point deadline) {
  const std::unique_ptr<SSL_CTX, SslDeleter> context(SSL_CTX_new(TLS_client_method()));
  set_identity(context.get(), identity);
  const std::unique_ptr<SSL, SslDeleter> ssl(SSL_new(context.get()));
  set_name(ssl.get(), target.host);
  constexpr unsigned char h2[] = "\x02h2";
  SSL_set_alpn_protos(ssl.get(), h2, sizeof h2 - 1);
  SSL_set_fd(ssl.get(), socket.fd());
  if (auto problem = complete(ssl.get(), true, deadline, [&] { return SSL_connect(ssl.get()); })) return *problem;
  // With TLS 1.3, the verdict about the client certificate arrives after the handshake: an alert, or the first frame of
  // HTTP/2.
  char byte;
  if (auto problem = complete(ssl.get(), false, deadline, [&] { return SSL_read(ssl.get(), &byte, 1); }))
    return *problem;
  return {};
}

}  // namespace

Diagnosis diagnose(const Target &target, const Identity *identity, std::chrono::milliseconds limit) {
  if (target.is_unix()) return diagnose_unix(target, Clock::now() + limit);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo *found = nullptr;
  const int error = getaddrinfo(target.host.c_str(), target.port.c_str(), &hints, &found);
  if (error != 0) return {Kind::unreachable, std::string("name not found: ") + gai_strerror(error)};
  const std::unique_ptr<addrinfo, SslDeleter> addresses(found);
  const auto deadline = Clock::now() + limit;
  int refusal = 0;
  for (const addrinfo *address = found; address != nullptr; address = address->ai_next) {
    const Socket socket(address->ai_family);
    refusal = connect_to(socket, address->ai_addr, address->ai_addrlen, deadline);
    if (refusal == 0) return diagnose_tls(socket, target, *identity, deadline);
  }
  return {Kind::unreachable, connect_problem(refusal)};
}

}  // namespace hmacd::internal
