// The caller of client/events: makes calls at a fixed rate, and prints their outcomes as JSON: load KEY

#include <hmacd/hmacd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <map>
#include <mutex>
#include <thread>

namespace {

using Clock = std::chrono::steady_clock;
using namespace std::string_view_literals;

constexpr auto message = "events"sv;
constexpr unsigned child_limit_seconds = 60;  // A child process that hangs ends by a signal.

// A number of the environment. Without a default, it is required.
double number(const char *name, std::optional<double> default_value = std::nullopt) {
  const char *text = std::getenv(name);
  if (text != nullptr) return std::stod(text);
  if (!default_value) throw std::invalid_argument(std::string(name) + " is not set");
  return *default_value;
}

// Tells the events that the load can start, and waits for its start.
void await_start() {
  std::cout << "ready" << std::endl;
  std::cin.get();
}

// The outcomes of the calls. Thread-safe.
class Outcomes {
 public:
  explicit Outcomes(std::string right) : right_mac_(std::move(right)) {}

  // Adds the outcome of a call, which has ended now.
  void add(const hmacd::Result<std::string> &result, Clock::time_point planned) {
    const std::chrono::duration<double, std::milli> took = Clock::now() - planned;
    const std::lock_guard guard(mutex_);
    times_.push_back(took.count());
    try {
      ++(result.get() == right_mac_ ? right_ : wrong_);
    } catch (const hmacd::Error &error) {
      ++errors_[error.reason()];
    }
    added_.notify_one();
  }

  // Waits for the outcomes of all calls, and prints them.
  // where: the field of the output. Empty in the process that made the first call.
  void print(std::size_t calls, const std::string &where) {
    std::unique_lock lock(mutex_);
    added_.wait(lock, [&] { return times_.size() == calls; });
    std::sort(times_.begin(), times_.end());
    std::string errors;
    for (const auto &[reason, count] : errors_) {
      errors += (errors.empty() ? "\"" : ",\"") + reason + "\":" + std::to_string(count);
    }
    std::printf("{\"calls\":%zu,\"right\":%zu,\"wrong\":%zu,\"errors\":{%s},", calls, right_, wrong_, errors.c_str());
    if (!where.empty()) std::printf("\"where\":\"%s\",", where.c_str());
    std::printf("\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"max_ms\":%.3f}\n", quantile(0.5), quantile(0.99), quantile(1));
  }

 private:
  double quantile(double q) const { return times_[static_cast<std::size_t>(q * (times_.size() - 1))]; }

  const std::string right_mac_;
  std::mutex mutex_;
  std::condition_variable added_;
  std::size_t right_ = 0;
  std::size_t wrong_ = 0;
  std::map<std::string, std::size_t> errors_;
  std::vector<double> times_;
};

// Waits for the end of the child process, which prints its outcomes.
void await_end(pid_t child) {
  int status = -1;
  waitpid(child, &status, 0);
  if (status != 0) throw std::runtime_error("the child process failed");
}

void run(std::string_view key_name) {
  const double rate = number("HMACD_LOAD_RATE");
  const auto calls = static_cast<std::size_t>(rate * number("HMACD_LOAD_SECONDS"));
  const std::chrono::milliseconds timeout(static_cast<int>(number("HMACD_LOAD_TIMEOUT_MS", 5000)));
  hmacd::Client client(hmacd::Settings::from_env());
  const hmacd::Key key = client.key(key_name, hmacd::Algorithm::hmac_sha_256);
  // The first call may be slower than the timeout of the load: it connects.
  std::string right;
  for (int i = 0; i < number("HMACD_LOAD_WARM_UP", 1); ++i) right = key.generate(message);
  Outcomes outcomes(right);
  await_start();
  std::optional<pid_t> child;
  if (std::getenv("HMACD_LOAD_FORK") != nullptr) child = fork();
  if (child == 0) alarm(child_limit_seconds);

  const auto start = Clock::now();
  std::thread closer;
  if (const double after = number("HMACD_LOAD_CLOSE_AFTER", 0); after > 0) {
    closer = std::thread([&client, at = start + std::chrono::duration<double>(after)] {
      std::this_thread::sleep_until(at);
      client.close();
    });
  }
  for (std::size_t i = 0; i < calls; ++i) {
    const auto planned = start + std::chrono::nanoseconds(static_cast<long long>(1e9 * i / rate));
    std::this_thread::sleep_until(planned);
    hmacd::CallOptions options;
    options.deadline = Clock::now() + timeout;
    key.generate_async(
        message, [&outcomes, planned](const auto &result) { outcomes.add(result, planned); }, options);
  }
  if (child > 0) await_end(*child);
  outcomes.print(calls, child == 0 ? "child process" : "");
  if (closer.joinable()) closer.join();
}

}  // namespace

int main(int argc, char **argv) {
  if (argc != 2) {
    std::cerr << "usage: load KEY\n";
    return 2;
  }
  try {
    run(argv[1]);
  } catch (const std::exception &error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
