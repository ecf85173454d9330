/// The PEM files of TLS.
#pragma once

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <ctime>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace hmacd::internal {

/// The paths of the PEM files.
struct PemPaths {
  std::string ca;
  std::string certificate;
  std::string private_key;
};

/// The contents of the PEM files.
struct PemFiles {
  std::string ca;
  std::string certificate;
  std::string private_key;

  bool operator==(const PemFiles &other) const {
    return ca == other.ca && certificate == other.certificate && private_key == other.private_key;
  }
  bool operator!=(const PemFiles &other) const { return !(*this == other); }
};

/// Files that are not usable for TLS. The text has the path and the problem, but no content of a file.
class BadPemFiles : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

struct Deleter {
  void operator()(BIO *bio) const { BIO_free(bio); }
  void operator()(X509 *certificate) const { X509_free(certificate); }
  void operator()(EVP_PKEY *key) const { EVP_PKEY_free(key); }
};

/// The parsed files.
struct Identity {
  std::vector<std::unique_ptr<X509, Deleter>> authorities;
  /// The client certificate, then its chain.
  std::vector<std::unique_ptr<X509, Deleter>> chain;
  std::unique_ptr<EVP_PKEY, Deleter> key;
};

/// Reads the files. A file is a regular file of at most 1 MiB.
/// @throws BadPemFiles
PemFiles read_pem_files(const PemPaths &paths);

/// Parses and checks the files: PEM, the key belongs to the certificate, the certificate has not expired.
/// @throws BadPemFiles
Identity check_pem_files(const PemFiles &files, const PemPaths &paths, std::time_t now);

}  // namespace hmacd::internal
