#include "connections.h"

#include <algorithm>
#include <utility>

#include "invalid_argument.h"

namespace hmacd::internal {
namespace {

// After this time, a read counts as a problem: a network file system without its server can block it for ever.
constexpr std::chrono::seconds read_limit{5};

bool any_tls(const std::vector<Target> &targets) {
  return std::any_of(targets.begin(), targets.end(), [](const Target &target) { return !target.is_unix(); });
}

}  // namespace

Connections::Connections(std::vector<Target> targets, PemPaths paths, ReadFiles read_files)
    : targets_(std::move(targets)),
      paths_(std::move(paths)),
      read_files_(std::move(read_files)),
      tls_(any_tls(targets_)),
      reloading_(targets_.size()) {
  try {
    if (tls_) {
      files_ = read_files_(paths_);
      identity_ = check(files_);
      watch_.accept(files_);
    }
  } catch (const BadPemFiles &bad) {
    throw invalid_argument(bad.what());
  }
  for (const auto &target : targets_) connections_.push_back(std::make_shared<Connection>(target, files_));
}

std::shared_ptr<const Identity> Connections::check(const PemFiles &files) {
  return std::make_shared<const Identity>(check_pem_files(files, paths_, std::time(nullptr)));
}

std::shared_ptr<Connection> Connections::get(std::size_t target) const {
  const std::lock_guard lock(mutex_);
  return connections_[target];
}

std::shared_ptr<const Identity> Connections::identity() const {
  const std::lock_guard lock(mutex_);
  return identity_;
}

std::string Connections::problem() const {
  const std::lock_guard lock(mutex_);
  const bool blocked = reading_since_ && std::chrono::steady_clock::now() - *reading_since_ > read_limit;
  return blocked ? "the read of the files has not ended" : problem_;
}

void Connections::set_problem(std::string problem) {
  const std::lock_guard lock(mutex_);
  problem_ = std::move(problem);
}

bool Connections::read(PemFiles &files) {
  const auto set_since = [this](std::optional<std::chrono::steady_clock::time_point> since) {
    const std::lock_guard lock(mutex_);
    reading_since_ = since;
  };
  set_since(std::chrono::steady_clock::now());
  bool good = true;
  try {
    files = read_files_(paths_);
  } catch (const BadPemFiles &bad) {
    set_problem(bad.what());
    good = false;
  }
  set_since(std::nullopt);
  return good;
}

void Connections::use(const PemFiles &files) {
  try {
    auto identity = check(files);
    std::vector<std::shared_ptr<Connection>> connections;
    for (const auto &target : targets_) connections.push_back(std::make_shared<Connection>(target, files));
    const std::lock_guard lock(mutex_);
    // A Unix socket has no certificate: its connection stays.
    for (std::size_t i = 0; i < targets_.size(); ++i) {
      if (!targets_[i].is_unix()) connections_[i].swap(connections[i]);
    }
    identity_ = std::move(identity);
    files_ = files;
    problem_.clear();
  } catch (const BadPemFiles &bad) {
    set_problem(bad.what());
  }
}

void Connections::check_files() {
  PemFiles seen;
  if (!tls_ || !read(seen)) return;
  if (watch_.observe(seen)) {
    use(seen);
    return;
  }
  const std::lock_guard lock(mutex_);
  // The files are the good ones again.
  if (seen == files_) problem_.clear();
}

void Connections::reload(std::size_t target, const std::shared_ptr<Connection> &used) {
  read_and_replace(target, used);
  reloading_[target] = false;
}

void Connections::read_and_replace(std::size_t target, const std::shared_ptr<Connection> &used) {
  if (get(target) != used) return;
  PemFiles seen;
  if (tls_ && read(seen)) {
    bool changed;
    {
      const std::lock_guard lock(mutex_);
      changed = seen != files_;
    }
    if (changed) {
      watch_.accept(seen);
      use(seen);
    }
  }
  const std::lock_guard lock(mutex_);
  if (connections_[target] == used) connections_[target] = std::make_shared<Connection>(targets_[target], files_);
}

}  // namespace hmacd::internal
