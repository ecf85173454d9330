// Certificates for tests.
#pragma once

#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <fstream>
#include <memory>
#include <stdexcept>
#include <string>

#include "pem.h"

using KeyPtr = std::unique_ptr<EVP_PKEY, hmacd::internal::Deleter>;
using CertificatePtr = std::unique_ptr<X509, hmacd::internal::Deleter>;

// Returns what `write` writes to a BIO.
template <class Write>
std::string pem(Write write) {
  const std::unique_ptr<BIO, hmacd::internal::Deleter> bio(BIO_new(BIO_s_mem()));
  if (write(bio.get()) != 1) throw std::runtime_error("OpenSSL cannot write PEM");
  char *data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return std::string(data, static_cast<std::size_t>(size));
}

// A certificate with its key.
struct Issued {
  CertificatePtr x509;
  KeyPtr key;

  std::string certificate() const {
    return pem([&](BIO *bio) { return PEM_write_bio_X509(bio, x509.get()); });
  }
  std::string encrypted_certificate() const {
    return pem([&](BIO *bio) {
      return PEM_ASN1_write_bio(reinterpret_cast<i2d_of_void *>(i2d_X509), PEM_STRING_X509, bio, x509.get(),
                                EVP_aes_128_cbc(), nullptr, 0, nullptr, const_cast<char *>("password"));
    });
  }
  std::string pkcs8() const {
    return pem(
        [&](BIO *bio) { return PEM_write_bio_PKCS8PrivateKey(bio, key.get(), nullptr, nullptr, 0, nullptr, nullptr); });
  }
  // PKCS#1 for RSA, SEC1 for EC.
  std::string traditional() const {
    return pem([&](BIO *bio) {
      return PEM_write_bio_PrivateKey_traditional(bio, key.get(), nullptr, nullptr, 0, nullptr, nullptr);
    });
  }
  std::string encrypted() const {
    return pem([&](BIO *bio) {
      return PEM_write_bio_PKCS8PrivateKey(bio, key.get(), EVP_aes_128_cbc(), "password", 8, nullptr, nullptr);
    });
  }
};

inline KeyPtr ec_key() { return KeyPtr(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", "P-256")); }
inline KeyPtr rsa_key() { return KeyPtr(EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", std::size_t{2048})); }

class Authority {
 public:
  // The certificate ends in `seconds`.
  explicit Authority(const std::string &name, long seconds = 3600) {
    self_.key = ec_key();
    self_.x509 = make(name, "", seconds, self_.key.get(), self_.key.get(), nullptr);
  }

  std::string certificate() const { return self_.certificate(); }

  // Issues a certificate that ends in `seconds`, for a name like "IP:127.0.0.1".
  Issued issue(const std::string &common_name, const std::string &alternative_name, long seconds = 3600,
               KeyPtr key = ec_key()) const {
    auto x509 = make(common_name, alternative_name, seconds, key.get(), self_.key.get(), self_.x509.get());
    return {std::move(x509), std::move(key)};
  }

 private:
  static CertificatePtr make(const std::string &common_name, const std::string &alternative_name, long seconds,
                             EVP_PKEY *key, EVP_PKEY *signer, X509 *issuer) {
    static long serial = 1;
    CertificatePtr x509(X509_new());
    X509_set_version(x509.get(), X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(x509.get()), serial++);
    X509_gmtime_adj(X509_getm_notBefore(x509.get()), -7200);
    X509_gmtime_adj(X509_getm_notAfter(x509.get()), seconds);
    X509_set_pubkey(x509.get(), key);
    X509_NAME *name = X509_get_subject_name(x509.get());
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, reinterpret_cast<const unsigned char *>(common_name.c_str()),
                               -1, -1, 0);
    X509_set_issuer_name(x509.get(), issuer == nullptr ? name : X509_get_subject_name(issuer));
    add(x509.get(), NID_basic_constraints, issuer == nullptr ? "critical,CA:TRUE" : "critical,CA:FALSE");
    if (!alternative_name.empty()) add(x509.get(), NID_subject_alt_name, alternative_name);
    if (X509_sign(x509.get(), signer, EVP_sha256()) == 0) throw std::runtime_error("OpenSSL cannot sign");
    return x509;
  }

  static void add(X509 *x509, int nid, const std::string &value) {
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(nullptr, nullptr, nid, value.c_str());
    X509_add_ext(x509, extension, -1);
    X509_EXTENSION_free(extension);
  }

  Issued self_;
};

inline void write_file(const std::string &path, const std::string &content) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << content;
}
