/// The detection of changed PEM files.
#pragma once

#include <optional>
#include <utility>

#include "pem.h"

namespace hmacd::internal {

/// Decides when a new content of the files is complete: two reads in sequence have the same new content. Not
/// thread-safe.
class FileWatch {
 public:
  explicit FileWatch(PemFiles current) : known_(std::move(current)) {}

  /// Takes the content of one read.
  /// @return whether the content is new and complete: the caller checks it. True only once for each new content
  bool observe(const PemFiles &seen) {
    if (seen == known_) {
      candidate_.reset();
      return false;
    }
    if (candidate_ != seen) {
      candidate_ = seen;
      return false;
    }
    accept(seen);
    return true;
  }

  /// Takes a content that the caller checks now, without a second read.
  void accept(PemFiles seen) {
    known_ = std::move(seen);
    candidate_.reset();
  }

 private:
  PemFiles known_;
  std::optional<PemFiles> candidate_;
};

}  // namespace hmacd::internal
