/// Errors about arguments, before a call.
#pragma once

#include <string>

#include "hmacd/error.h"

namespace hmacd::internal {

inline Error invalid_argument(const std::string &problem) {
  ErrorFields fields;
  fields.reason = "INVALID_ARGUMENT";
  return Error(std::move(fields), problem);
}

/// A MAC, header or token that is wrong without a call.
inline InvalidMac invalid_mac(const std::string &problem) {
  ErrorFields fields;
  fields.reason = "KMS_INVALID_MAC";
  return InvalidMac(std::move(fields), problem);
}

}  // namespace hmacd::internal
