#include "openssl_exit.h"

#include <openssl/crypto.h>

namespace hmacd::internal {
namespace {

const int kept_before_main = OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, nullptr);

}  // namespace

void keep_openssl_at_exit() {
  static_cast<void>(kept_before_main);
  // For a client that another initializer creates before main.
  OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, nullptr);
}

}  // namespace hmacd::internal
