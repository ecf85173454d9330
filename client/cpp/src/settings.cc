#include <cstdlib>
#include <set>

#include "checked_settings.h"
#include "invalid_argument.h"

namespace hmacd {
namespace {

using internal::invalid_argument;
using std::chrono::milliseconds;

std::string env(const char *variable) {
  const char *value = std::getenv(variable);
  return value == nullptr ? "" : value;
}

// Without the spaces at both ends.
std::string trimmed(const std::string &text) {
  const auto first = text.find_first_not_of(' ');
  return first == std::string::npos ? "" : text.substr(first, text.find_last_not_of(' ') - first + 1);
}

template <class Number>
void check_range(const char *setting, Number value, Number least, Number most) {
  if (value >= least && value <= most) return;
  throw invalid_argument(std::string(setting) + ": " + std::to_string(value) + " must be " + std::to_string(least) +
                         " to " + std::to_string(most));
}

void check_range(const char *setting, milliseconds value, milliseconds least, milliseconds most) {
  check_range(setting, value.count(), least.count(), most.count());
}

}  // namespace

Settings Settings::from_env() {
  Settings settings;
  const std::string targets = env("HMACD_TARGET");
  if (targets.empty()) throw invalid_argument("HMACD_TARGET is not set");
  for (std::size_t start = 0, comma = 0; comma != std::string::npos; start = comma + 1) {
    comma = targets.find(',', start);
    settings.targets.push_back(trimmed(targets.substr(start, comma - start)));
  }
  settings.ca = env("HMACD_CA");
  settings.certificate = env("HMACD_CERT");
  settings.private_key = env("HMACD_KEY");
  return settings;
}

namespace internal {

std::vector<Target> check(const Settings &settings) {
  check_range<std::size_t>("targets: number", settings.targets.size(), 1, 16);
  std::vector<Target> targets;
  std::set<std::string> names;
  for (const auto &name : settings.targets) {
    targets.push_back(parse_target(name));
    if (!names.insert(name).second) throw invalid_argument("targets: '" + name + "' is a duplicate");
    if (targets.back().is_unix()) continue;
    for (const auto &[setting, path] : {std::pair{"ca", settings.ca}, std::pair{"certificate", settings.certificate},
                                        std::pair{"private_key", settings.private_key}}) {
      if (path.empty()) throw invalid_argument(std::string(setting) + ": '' must be a path, for target '" + name + "'");
    }
  }
  const milliseconds hour = std::chrono::hours(1);
  check_range("timeout (ms)", settings.timeout, milliseconds(1), hour);
  check_range("attempt_timeout (ms)", settings.attempt_timeout, milliseconds(1), hour);
  check_range<std::size_t>("max_message_bytes", settings.max_message_bytes, 1, 1 << 20);
  check_range("file_interval (ms)", settings.file_interval, milliseconds(1000), milliseconds(5000));
  return targets;
}

}  // namespace internal
}  // namespace hmacd
