/// The connections of a client, with its certificates.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
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
  using ReadFiles = std::function<PemFiles(const PemPaths &)>;

  /// Reads and checks the files, if a target needs them. Does not connect.
  /// @param read_files `read_pem_files`, except in tests
  /// @throws Error `INVALID_ARGUMENT`
  Connections(std::vector<Target> targets, PemPaths paths, ReadFiles read_files);

  std::shared_ptr<Connection> get(std::size_t target) const;

  /// The last good files. Null if all targets are Unix sockets.
  std::shared_ptr<const Identity> identity() const;

  /// Why the present files are not used. Empty if they are.
  std::string problem() const;

  /// The periodic check: reads the files, and uses them if they have changed, are complete and are good.
  void check_files();

  /// Starts a reload of the target.
  /// @return whether the caller calls `reload`. Otherwise, another caller does
  bool begin_reload(std::size_t target) { return !reloading_[target].exchange(true); }

  /// After UNAUTHENTICATED: reads the files, and replaces the connection of the target, unless that has happened
  /// since the caller got `used`. Ends the reload.
  void reload(std::size_t target, const std::shared_ptr<Connection> &used);

 private:
  std::shared_ptr<const Identity> check(const PemFiles &files);
  bool read(PemFiles &files);
  void use(const PemFiles &files);
  void read_and_replace(std::size_t target, const std::shared_ptr<Connection> &used);
  void set_problem(std::string problem);

  const std::vector<Target> targets_;
  const PemPaths paths_;
  const ReadFiles read_files_;
  const bool tls_;
  std::vector<std::atomic<bool>> reloading_;
  // Only in the thread that reads files.
  FileWatch watch_{{}};

  mutable std::mutex mutex_;
  PemFiles files_;
  std::shared_ptr<const Identity> identity_;
  std::vector<std::shared_ptr<Connection>> connections_;
  std::string problem_;
  // Of the read that runs.
  std::optional<std::chrono::steady_clock::time_point> reading_since_;
};

}  // namespace hmacd::internal
