#include "core.h"

#include <future>
#include <utility>

#include "call.h"
#include "callback_threads.h"
#include "checked_settings.h"
#include "details.pb.h"
#include "hmacd/error.h"
#include "openssl_exit.h"
#include "process.h"
#include "timespec.h"

namespace hmacd::internal {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds close_limit{5000};
// For calls that are cancelled, and their callbacks.
constexpr milliseconds cancel_limit{1000};
// For a read of the files, which can block.
constexpr milliseconds read_limit{1000};
constexpr milliseconds probe_limit{3000};

Closed closed(const std::string &problem) {
  ErrorFields fields;
  fields.reason = "CLOSED";
  return Closed(std::move(fields), problem);
}

// Returns the generation of this process, and starts gRPC in it.
int start_grpc() {
  if (!enter_grpc()) {
    throw closed(
        "gRPC runs in the parent process: call fork() before the first client is created, and create a client "
        "in each process");
  }
  keep_openssl_at_exit();
  return process_generation();
}

std::string end_of(const X509 *certificate) {
  tm end{};
  char text[sizeof "2000-01-01T00:00:00Z"];
  ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &end);
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &end);
  return text;
}

bool has_expired(const X509 *certificate) {
  std::time_t now = std::time(nullptr);
  return X509_cmp_time(X509_get0_notAfter(certificate), &now) < 0;
}

// Returns the problem of the daemon's health. Empty if it serves.
std::string health_problem(Connection &connection) {
  grpc::ClientContext context;
  context.set_deadline(after(probe_limit));
  client::internal::HealthCheckRequest request;
  client::internal::HealthCheckResponse response;
  keep_callback_threads();
  const auto answer = std::make_shared<std::promise<grpc::Status>>();
  connection.stub().UnaryCall(&context, "/grpc.health.v1.Health/Check", {}, &request, &response,
                              [answer](grpc::Status status) { answer->set_value(std::move(status)); });
  const grpc::Status status = answer->get_future().get();
  if (!status.ok()) return "health status: no answer, status " + std::to_string(status.error_code());
  return response.status() == 1 ? "" : "health status: " + std::to_string(response.status()) + ", not SERVING";
}

}  // namespace

Core::Core(Settings wanted, Connections::ReadFiles read_files)
    : settings(std::move(wanted)),
      targets(check(settings)),
      generation(start_grpc()),
      picker(targets.size(), random),
      connections(std::make_shared<Connections>(
          targets, PemPaths{settings.ca, settings.certificate, settings.private_key}, std::move(read_files))),
      diagnoses(targets.size()),
      file_worker_(settings.file_interval, [files = connections] { files->check_files(); }),
      probe_worker_(std::chrono::hours(1), [] {}) {}

void Core::check_process() const {
  if (process_generation() == generation) return;
  throw closed(
      "the client belongs to the parent process: call fork() before the first client is created, and create a "
      "client in each process");
}

bool Core::reconnect(std::size_t target, const std::shared_ptr<Connection> &used) {
  if (connections->get(target) != used) return true;
  if (connections->begin_reload(target)) {
    file_worker_.post([files = connections, target, used] { files->reload(target, used); });
  }
  return false;
}

void Core::start_diagnosis(std::size_t target) {
  if (!diagnoses.begin(target, std::chrono::steady_clock::now())) return;
  probe_worker_.post([this, target] {
    if (closing_) return;
    const auto identity = connections->identity();
    diagnoses.end(target, diagnose(targets[target], identity.get(), milliseconds(1000)));
  });
}

std::string Core::check_target(std::size_t index) {
  const Target &target = targets[index];
  const auto failed = [&](const std::string &problem) { return "failed: " + target.name + ", " + problem; };
  const auto identity = connections->identity();
  std::string facts = "serving";
  if (!target.is_unix()) {
    const X509 *certificate = identity->chain.front().get();
    if (const auto problem = connections->problem(); !problem.empty()) return failed("files: " + problem);
    if (has_expired(certificate)) return failed("the client certificate has expired");
    facts += ", client certificate expires " + end_of(certificate);
  }
  const Diagnosis diagnosis = diagnose(target, identity.get(), probe_limit);
  if (diagnosis.kind != Diagnosis::Kind::ok) return failed(diagnosis.problem);
  const auto connection = connections->get(index);
  if (const auto problem = health_problem(*connection); !problem.empty()) return failed(problem);
  return "ok: " + target.name + ", " + facts;
}

std::vector<std::string> Core::doctor() {
  check_process();
  auto lines = std::make_shared<std::promise<std::vector<std::string>>>();
  const bool posted = probe_worker_.post([this, lines] {
    std::vector<std::string> checked;
    for (std::size_t i = 0; i < targets.size(); ++i) checked.push_back(check_target(i));
    lines->set_value(std::move(checked));
  });
  if (!posted) throw closed("the client is closed");
  return lines->get_future().get();
}

void Core::close() {
  std::call_once(closed_, [this] {
    calls.close();
    for (const auto &call : calls.wait(close_limit)) call->cancel(Call::CancelledBy::close);
    calls.wait(cancel_limit);
    closing_ = true;
    file_worker_.stop(read_limit);
    probe_worker_.stop();
  });
}

}  // namespace hmacd::internal
