/// The state that a client shares with its keys and calls.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "calls_in_flight.h"
#include "connections.h"
#include "diagnoses.h"
#include "hmacd/settings.h"
#include "retry.h"
#include "target_picker.h"
#include "worker.h"

namespace hmacd::internal {

/// The long-lived objects of a client. Thread-safe.
class Core {
 public:
  /// @param read_files for tests
  /// @throws Error `INVALID_ARGUMENT`; `Closed` in a child of a process that used gRPC
  explicit Core(Settings settings, Connections::ReadFiles read_files = read_pem_files);

  /// @throws Closed after `fork`
  void check_process() const;

  /// Starts to read the files and to replace the connection in the background, unless that runs.
  /// @return whether the connection of the target is another one than `used`
  bool reconnect(std::size_t target, const std::shared_ptr<Connection> &used);

  /// Finds out in the background why the target has no connection.
  void start_diagnosis(std::size_t target);

  std::vector<std::string> doctor();

  void close();

  const Settings settings;
  const std::vector<Target> targets;
  const int generation;
  const Random random = thread_random();
  RetryBudget budget;
  TargetPicker picker;
  // Shared with the thread that reads files: a read can block longer than this object lives.
  const std::shared_ptr<Connections> connections;
  Diagnoses diagnoses;
  CallsInFlight calls;

 private:
  std::string check_target(std::size_t target);

  std::once_flag closed_;
  // No more diagnoses: a look-up of a name can block for long, and nobody needs them.
  std::atomic<bool> closing_{false};
  // Last: their threads use the members above. A look-up of a name can block for long: it must not delay the files.
  Worker file_worker_;
  Worker probe_worker_;
};

}  // namespace hmacd::internal
