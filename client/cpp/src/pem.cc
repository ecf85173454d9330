#include "pem.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace hmacd::internal {
namespace {

constexpr std::size_t max_file_bytes = 1 << 20;

class File {
 public:
  // Does not wait for the writer of a FIFO.
  explicit File(const std::string &path) : fd_(open(path.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)) {}
  ~File() {
    if (fd_ >= 0) close(fd_);
  }
  File(const File &) = delete;
  File &operator=(const File &) = delete;
  int fd() const { return fd_; }

 private:
  const int fd_;
};

// Reads a regular file: a read of a FIFO or a terminal could block for ever.
std::string read_file(const std::string &setting, const std::string &path) {
  // The content can be a private key.
  if (path.find_first_of("\r\n") != std::string::npos || path.find("-----BEGIN") != std::string::npos) {
    throw BadPemFiles(setting + ": the value is the content of a file; it must be its path");
  }
  const auto failed = [&] { return BadPemFiles(path + ": " + std::strerror(errno)); };
  const File file(path);
  struct stat status;
  if (file.fd() < 0 || fstat(file.fd(), &status) != 0) throw failed();
  if (!S_ISREG(status.st_mode)) throw BadPemFiles(path + ": not a regular file");
  std::string content(max_file_bytes + 1, '\0');
  std::size_t size = 0;
  while (size < content.size()) {
    const ssize_t count = read(file.fd(), content.data() + size, content.size() - size);
    if (count == 0) break;
    if (count > 0) {
      size += static_cast<std::size_t>(count);
    } else if (errno != EINTR) {
      throw failed();
    }
  }
  if (size > max_file_bytes) throw BadPemFiles(path + ": longer than 1 MiB");
  content.resize(size);
  return content;
}

std::unique_ptr<BIO, Deleter> bio(const std::string &content) {
  return std::unique_ptr<BIO, Deleter>(BIO_new_mem_buf(content.data(), static_cast<int>(content.size())));
}

// Called for an encrypted block only. Without this function, OpenSSL asks at the terminal.
int refuse_password(char *, int, int, void *asked) {
  *static_cast<bool *>(asked) = true;
  return -1;
}

std::vector<std::unique_ptr<X509, Deleter>> certificates(const std::string &content, const std::string &path) {
  std::vector<std::unique_ptr<X509, Deleter>> certificates;
  const auto input = bio(content);
  bool encrypted = false;
  while (X509 *certificate = PEM_read_bio_X509(input.get(), nullptr, refuse_password, &encrypted)) {
    certificates.emplace_back(certificate);
  }
  const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  ERR_clear_error();
  if (encrypted) throw BadPemFiles(path + ": a certificate is encrypted; it must be without a password");
  if (certificates.empty() || !at_end) throw BadPemFiles(path + ": not PEM certificates");
  return certificates;
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
  return {read_file("ca", paths.ca), read_file("certificate", paths.certificate),
          read_file("private_key", paths.private_key)};
}

Identity check_pem_files(const PemFiles &files, const PemPaths &paths, std::time_t now) {
  Identity identity{certificates(files.ca, paths.ca), certificates(files.certificate, paths.certificate),
                    private_key(files.private_key, paths.private_key)};
  X509 *certificate = identity.chain.front().get();
  const bool belongs = X509_check_private_key(certificate, identity.key.get()) == 1;
  ERR_clear_error();
  if (!belongs) throw BadPemFiles(paths.private_key + ": the key does not belong to " + paths.certificate);
  if (X509_cmp_time(X509_get0_notAfter(certificate), &now) < 0) {
    throw BadPemFiles(paths.certificate + ": the certificate has expired");
  }
  return identity;
}

}  // namespace hmacd::internal
