#include "pem.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include <cerrno>
#include <cstring>
#include <fstream>

namespace hmacd::internal {
namespace {

constexpr std::size_t max_file_bytes = 1 << 20;

std::string read_file(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  std::string content(max_file_bytes + 1, '\0');
  file.read(content.data(), static_cast<std::streamsize>(content.size()));
  if (file.bad() || !file.eof()) {
    const bool too_long = file.good();
    throw BadPemFiles(path + ": " + (too_long ? "longer than 1 MiB" : std::strerror(errno)));
  }
  content.resize(static_cast<std::size_t>(file.gcount()));
  return content;
}

std::unique_ptr<BIO, Deleter> bio(const std::string &content) {
  return std::unique_ptr<BIO, Deleter>(BIO_new_mem_buf(content.data(), static_cast<int>(content.size())));
}

std::vector<std::unique_ptr<X509, Deleter>> certificates(const std::string &content, const std::string &path) {
  std::vector<std::unique_ptr<X509, Deleter>> certificates;
  const auto input = bio(content);
  while (X509 *certificate = PEM_read_bio_X509(input.get(), nullptr, nullptr, nullptr)) {
    certificates.emplace_back(certificate);
  }
  const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  ERR_clear_error();
  if (certificates.empty() || !at_end) throw BadPemFiles(path + ": not PEM certificates");
  return certificates;
}

// Called for an encrypted key only.
int refuse_password(char *, int, int, void *asked) {
  *static_cast<bool *>(asked) = true;
  return -1;
}

std::unique_ptr<EVP_PKEY, Deleter> private_key(const std::string &content, const std::string &path) {
  bool encrypted = false;
  std::unique_ptr<EVP_PKEY, Deleter> key(
      PEM_read_bio_PrivateKey(bio(content).get(), nullptr, refuse_password, &encrypted));
  ERR_clear_error();
  if (encrypted) throw BadPemFiles(path + ": the private key is encrypted; it must be without a password");
  if (!key) throw BadPemFiles(path + ": not a PEM private key (PKCS#8, PKCS#1 or SEC1)");
  return key;
}

}  // namespace

PemFiles read_pem_files(const PemPaths &paths) {
  return {read_file(paths.ca), read_file(paths.certificate), read_file(paths.private_key)};
}

Identity check_pem_files(const PemFiles &files, const PemPaths &paths, std::time_t now) {
  Identity identity{certificates(files.ca, paths.ca), certificates(files.certificate, paths.certificate),
                    private_key(files.private_key, paths.private_key)};
  X509 *certificate = identity.chain.front().get();
  const bool belongs = X509_check_private_key(certificate, identity.key.get()) == 1;
  ERR_clear_error();
  if (!belongs) throw BadPemFiles(paths.private_key + ": the key does not belong to " + paths.certificate);
  if (X509_cmp_time(X509_get0_notAfter(certificate), &now) < 0) {
    throw BadPemFiles(paths.certificate + ": the certificate has ended");
  }
  return identity;
}

}  // namespace hmacd::internal
