/// The connections of a client, with its certificates.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "connection.h"
#include "file_watch.h"
#include "pem.h"
#include "target.h"

namespace hmacd::internal {

/// Has one connection for each target, and replaces all of them when the PEM files are renewed. Thread-safe; the two
/// methods that read files are for one thread.
class Connections {
 public:
  /// Reads and checks the files, if a target needs them. Does not connect.
  /// @throws Error `INVALID_ARGUMENT`
  Connections(std::vector<Target> targets, PemPaths paths);

  std::shared_ptr<Connection> get(std::size_t target) const;

  /// The last good files. Null if all targets are Unix sockets.
  std::shared_ptr<const Identity> identity() const;

  /// Why the present files are not used. Empty if they are.
  std::string problem() const;

  /// The periodic check: reads the files, and uses them if they have changed, are complete and are good.
  void check_files();

  /// After UNAUTHENTICATED: reads the files, and replaces the connection of the target, unless that has happened
  /// since the caller got `used`.
  void reload(std::size_t target, const std::shared_ptr<Connection> &used);

 private:
  std::shared_ptr<const Identity> check(const PemFiles &files);
  bool read(PemFiles &files);
  void use(const PemFiles &files);
  void set_problem(std::string problem);

  const std::vector<Target> targets_;
  const PemPaths paths_;
  const bool tls_;
  // Only in the thread that reads files.
  FileWatch watch_{{}};

  mutable std::mutex mutex_;
  PemFiles files_;
  std::shared_ptr<const Identity> identity_;
  std::vector<std::shared_ptr<Connection>> connections_;
  std::string problem_;
};

}  // namespace hmacd::internal
