// Tests of the logic without connections. Clocks and randomness are given.

#include <google/protobuf/descriptor.h>

#include <cstdlib>
#include <limits>

#include "checked_settings.h"
#include "crc32c.h"
#include "diagnoses.h"
#include "encoding.h"
#include "file_watch.h"
#include "hmacd/hmacd.h"
#include "hmacd/v1/error_reason.pb.h"
#include "json.h"
#include "reasons.h"
#include "retry.h"
#include "target_picker.h"
#include "tests.h"
#include "vectors.h"

namespace {

using namespace hmacd::internal;
using hmacd::Settings;
using std::chrono::milliseconds;
using std::chrono::seconds;
using tap::check;
using tap::equal;
using tap::thrown;
using Action = RetryPlan::Action;

const TargetPicker::Time start{std::chrono::hours(1)};

double middle() { return 0.5; }

void settings_tests(tap::Tests &tests) {
  tests.run("settings: the defaults are those of BEHAVIOR.md", [] {
    const Settings settings;
    check(settings.timeout == milliseconds(5000) && settings.attempt_timeout == milliseconds(1000) &&
              settings.max_message_bytes == 65'536 && settings.file_interval == milliseconds(2000),
          "5 s, 1 s, 65536, 2 s");
  });
  tests.run("settings: the environment may have spaces between the targets", [] {
    const char *before = std::getenv("HMACD_TARGET");
    const std::string saved = before == nullptr ? "" : before;
    setenv("HMACD_TARGET", " unix:/a, unix:/b b ,", 1);
    const auto targets = Settings::from_env().targets;
    before == nullptr ? unsetenv("HMACD_TARGET") : setenv("HMACD_TARGET", saved.c_str(), 1);
    check(targets == std::vector<std::string>{"unix:/a", "unix:/b b", ""}, "two targets, and an empty one");
  });
  const auto refused = [&tests](const std::string &name, const std::string &text,
                                std::function<void(Settings &)> change) {
    tests.run("settings: refused: " + name, [=] {
      Settings settings;
      settings.targets = {"unix:/run/hmacd.sock"};
      hmacd::internal::check(settings);
      change(settings);
      const auto error = thrown<hmacd::Error>([&] { hmacd::internal::check(settings); });
      equal(error.reason(), "INVALID_ARGUMENT");
      check(std::string(error.what()).find(text) != std::string::npos, "'" + text + "' in: " + error.what());
    });
  };
  refused("no target", "targets: number: 0", [](Settings &s) { s.targets.clear(); });
  refused("17 targets", "targets: number: 17", [](Settings &s) { s.targets.assign(17, "unix:/a"); });
  refused("a target twice", "'unix:/a' is a duplicate", [](Settings &s) { s.targets.assign(2, "unix:/a"); });
  refused("a timeout of 0", "timeout (ms): 0", [](Settings &s) { s.timeout = milliseconds(0); });
  refused("an attempt timeout of -1", "attempt_timeout (ms): -1",
          [](Settings &s) { s.attempt_timeout = milliseconds(-1); });
  refused("a message limit of 0", "max_message_bytes: 0", [](Settings &s) { s.max_message_bytes = 0; });
  refused("a message limit over 1 MiB", "max_message_bytes: 1048577",
          [](Settings &s) { s.max_message_bytes = (1 << 20) + 1; });
  refused("a file interval of 999 ms", "file_interval (ms): 999",
          [](Settings &s) { s.file_interval = milliseconds(999); });
  refused("a file interval of 5001 ms", "file_interval (ms): 5001",
          [](Settings &s) { s.file_interval = milliseconds(5001); });
  refused("TCP without an authority", "ca: ''", [](Settings &s) { s.targets = {"a:1"}; });
  for (const std::string target : {"", "host", "host:", "host:0", "host:65536", "host:1x", ":1", "a/b:1", "http://a:1",
                                   "::1:1", "[::1]", "unix:", "unix:relative", "unix://host/path", "unix:/"}) {
    refused("the target '" + target + "'", "'" + target + "'", [=](Settings &s) { s.targets = {target}; });
  }
  tests.run("settings: targets of TCP and Unix are parsed", [] {
    equal(parse_target("[::1]:8443").host, "::1");
    equal(parse_target("hmacd.example.org:8443").port, "8443");
    check(parse_target("unix:/run/hmacd.sock").is_unix(), "a Unix socket");
  });
}

void bytes_tests(tap::Tests &tests) {
  tests.run("CRC32C: the vectors", [] {
    for (const auto &mac : vectors()["macs"])
      equal(crc32c(vector_bytes(mac["message"])), mac["message_crc32c"].get<std::uint32_t>());
  });
  tests.run("base64: each length is encoded and decoded", [] {
    std::string bytes;
    for (int i = 0; i < 20; ++i) {
      for (const auto alphabet : {Base64::standard, Base64::url}) {
        equal(from_base64(to_base64(bytes, alphabet), alphabet).value(), bytes);
      }
      bytes += static_cast<char>(0xF8 + i);
    }
    equal(to_base64("\xfb\xff", Base64::url), "-_8");
    equal(to_base64("\xfb\xff", Base64::standard), "+/8=");
  });
  tests.run("base64: another text for the same bytes is refused", [] {
    for (const char *text : {"QQ", "QR==", "QQ=", "QQ==\n", "QQ== ", "Q", "QQ===", "-_8="}) {
      check(!from_base64(text, Base64::standard), std::string("a refusal of ") + text);
    }
    for (const char *text : {"QQ==", "QR", "Q", "+/8", "Q Q", "QQ\n"}) {
      check(!from_base64(text, Base64::url), std::string("a refusal of ") + text);
    }
  });
  tests.run("hex: an odd length and other characters are refused", [] {
    equal(from_hex("00Ff").value(), std::string("\0\xff", 2));
    check(!from_hex("0") && !from_hex("0g") && !from_hex("0x00"), "a refusal");
  });
  tests.run("JSON: duplicate names, depth and other values than objects are refused", [] {
    check(parse_object(R"({"a":{"b":1},"b":[{"a":1},{"a":2}]})").has_value(), "an object");
    for (const std::string text : {"", "[]", "1", "{", R"({"a":1,"a":2})", R"({"b":{"a":1,"a":2}})", "{'a':1}",
                                   R"({"a":1,})", "{}x", "{\"a\":\"\xff\"}"}) {
      check(!parse_object(text), "a refusal of " + text);
    }
    check(!parse_object(std::string(40, '[').insert(0, "{\"a\":") + std::string(40, ']') + "}"),
          "a refusal of the depth");
  });
}

Failure answer(const std::string &reason) {
  Failure failure;
  failure.reason = reason;
  failure.from_daemon = true;
  failure.transport = reason == "STOPPING";
  return failure;
}

Failure transport(bool sent) {
  Failure failure;
  failure.reason = "CONNECTION_FAILED";
  failure.transport = true;
  failure.sent = sent;
  return failure;
}

void retry_tests(tap::Tests &tests) {
  tests.run("reasons: each reason of error_reason.proto is known", [] {
    const auto *reasons = hmacd::v1::ErrorReason_descriptor();
    for (int i = 1; i < reasons->value_count(); ++i) {
      const std::string name = reasons->value(i)->name().substr(std::string("ERROR_REASON_").size());
      equal(reason(name).name, name);
    }
    equal(reason("NEW_REASON").name, "");
  });
  tests.run("retry: each reason has the action of BEHAVIOR.md", [] {
    const auto *reasons = hmacd::v1::ErrorReason_descriptor();
    for (int i = 1; i < reasons->value_count(); ++i) {
      const std::string name = reasons->value(i)->name().substr(std::string("ERROR_REASON_").size());
      RetryBudget budget;
      RetryPlan plan(budget, middle);
      const auto step = plan.after(answer(name), true, seconds(5));
      const bool again = name == "STOPPING" || name == "TOKEN_UNAVAILABLE" || name == "KEY_UNAVAILABLE" ||
                         name == "REGISTRY_UNAVAILABLE" || name == "TOKEN_BUSY" || name == "REGISTRY_BUSY" ||
                         name == "MEMORY_BUSY" || name == "CHECKSUM_MISMATCH";
      const Action expected = again ? Action::again : name == "UNAUTHENTICATED" ? Action::reconnect : Action::stop;
      check(step.action == expected, "another action for " + name);
    }
  });
  tests.run("retry: the back-off doubles up to 1 s", [] {
    RetryBudget budget;
    RetryPlan plan(budget, [] { return 0.9999; });
    for (const int longest : {50, 100, 200, 400, 800, 1000, 1000}) {
      equal(plan.after(answer("TOKEN_BUSY"), true, seconds(5)).delay.count(), longest);
    }
    RetryPlan shortest(budget, [] { return 0.0; });
    equal(shortest.after(answer("TOKEN_BUSY"), true, seconds(5)).delay.count(), 0);
  });
  tests.run("retry: the back-off follows the delay of RetryInfo, and the deadline ends the attempts", [] {
    RetryBudget budget;
    RetryPlan plan(budget, [] { return 0.9999; });
    auto failure = answer("TOKEN_BUSY");
    failure.retry_delay = milliseconds(700);
    equal(plan.after(failure, true, seconds(1)).delay.count(), 750);
    equal(plan.after(failure, true, seconds(1)).delay.count(), 800);
    check(plan.after(failure, true, milliseconds(900)).action == Action::stop, "no attempt at the deadline");
    failure.retry_delay = milliseconds(0);
    equal(plan.after(failure, true, seconds(1)).delay.count(), 0);
    auto stopping = answer("STOPPING");
    stopping.retry_delay = milliseconds(700);
    RetryPlan another(budget, middle);
    equal(another.after(stopping, false, seconds(1)).delay.count(), 725);
  });
  tests.run("retry: an unknown reason needs RetryInfo, and a known one keeps its action", [] {
    RetryBudget budget;
    RetryPlan plan(budget, middle);
    for (const auto &[reason, action] : {std::pair{"NEW_REASON", Action::again}, {"KEY_NOT_USABLE", Action::stop}}) {
      auto failure = answer(reason);
      check(plan.after(failure, true, seconds(5)).action == Action::stop, "no attempt");
      failure.retry_delay = milliseconds(0);
      check(plan.after(failure, true, seconds(5)).action == action, std::string("another action for ") + reason);
    }
  });
  tests.run("reasons: the local ones are retryable as in BEHAVIOR.md", [] {
    for (const auto *name : {"CONNECTION_FAILED", "DEADLINE_EXCEEDED"}) check(reason(name).retryable, name);
    for (const auto *name : {"TLS_FAILED", "CANCELLED", "CLOSED"}) {
      check(reason(name).name == name && !reason(name).retryable, name);
    }
    for (const auto *name : {"MESSAGE_TOO_LONG", "REQUEST_TOO_LONG"}) check(reason(name).not_executed, name);
  });
  tests.run("retry: the trailer of pushback forbids it", [] {
    RetryBudget budget;
    RetryPlan plan(budget, middle);
    auto failure = answer("TOKEN_BUSY");
    failure.no_retry = true;
    check(plan.after(failure, true, seconds(5)).action == Action::stop, "no attempt");
  });
  tests.run("retry: damage and UNAUTHENTICATED are repeated once a call", [] {
    RetryBudget budget;
    RetryPlan plan(budget, middle);
    check(plan.after(answer("CHECKSUM_MISMATCH"), true, seconds(5)).action == Action::again, "the first attempt");
    check(plan.after(answer("UNAUTHENTICATED"), true, seconds(5)).action == Action::reconnect, "the first reload");
    check(plan.after(answer("CHECKSUM_MISMATCH"), true, seconds(5)).action == Action::stop, "the end after damage");
    check(plan.after(answer("UNAUTHENTICATED"), true, seconds(5)).action == Action::stop,
          "the end after UNAUTHENTICATED");
  });
  tests.run("retry: a lost connection is repeated at once, without another target after a back-off", [] {
    RetryBudget budget;
    RetryPlan plan(budget, middle);
    equal(plan.after(transport(true), true, seconds(5)).delay.count(), 0);
    equal(plan.after(transport(true), false, seconds(5)).delay.count(), 50);
    equal(plan.after(transport(false), false, seconds(5)).delay.count(), 0);
  });
  tests.run("retry: the budget has 100 tokens, and an attempt without a connection takes none", [] {
    RetryBudget budget;
    RetryPlan plan(budget, middle);
    for (int i = 0; i < 100; ++i)
      check(plan.after(transport(true), true, seconds(5)).action == Action::again, "a token");
    check(plan.after(transport(true), true, seconds(5)).action == Action::stop, "an empty bucket");
    check(plan.after(transport(false), true, seconds(5)).action == Action::again, "an attempt without a token");
    for (int i = 0; i < 9; ++i) budget.give();
    check(!budget.take(), "nine tenths of a token");
    budget.give();
    check(budget.take() && !budget.take(), "one token after ten successes");
  });
}

void picker_tests(tap::Tests &tests) {
  tests.run("targets: attempts alternate, with the attempt timeout", [] {
    TargetPicker picker(2, middle);
    const auto a = picker.pick(start), b = picker.pick(start), c = picker.pick(start);
    check(a.target != b.target && a.target == c.target, "targets in turn");
    check(a.limited && !a.waits, "an attempt timeout, and no wait");
  });
  tests.run("targets: one target has no attempt timeout, and waits", [] {
    TargetPicker picker(1, middle);
    const auto choice = picker.pick(start);
    check(!choice.limited && choice.waits, "a wait");
  });
  tests.run("targets: a suspension has 0.1 s, doubles up to 5 s, and has a jitter of 20 %", [] {
    for (const auto &[random, percent] : {std::pair{0.0, 80}, {0.5, 100}}) {
      TargetPicker picker(2, [random = random] { return random; });
      auto now = start;
      for (const int length : {100, 200, 400, 800, 1600, 3200, 5000, 5000}) {
        picker.failed(picker.pick(0, now), now);
        now += milliseconds(length * percent / 100) - milliseconds(1);
        check(!picker.other_usable(1, now), "a suspended target");
        now += milliseconds(2);
        check(picker.other_usable(1, now), "a usable target");
      }
    }
  });
  tests.run("targets: the first attempt after a suspension is the only one until it ends", [] {
    TargetPicker picker(2, middle);
    picker.failed(picker.pick(0, start), start);
    const auto later = start + milliseconds(101);
    auto choice = picker.pick(later);
    if (choice.target != 0) choice = picker.pick(later);
    check(choice.target == 0 && choice.probe, "the probe");
    for (int i = 0; i < 4; ++i) equal(picker.pick(later).target, 1u);
    picker.released(choice);
    check(picker.other_usable(1, later), "another probe after one without a statement");
    const auto probe = picker.pick(0, later);
    picker.answered(probe);
    check(!picker.pick(0, later).probe, "the end of the suspension");
  });
  tests.run("targets: attempts that fail at once start one suspension", [] {
    TargetPicker picker(2, middle);
    const auto first = picker.pick(0, start), second = picker.pick(0, start);
    picker.failed(first, start + milliseconds(10));
    picker.failed(second, start + milliseconds(11));
    check(picker.other_usable(1, start + milliseconds(111)), "a suspension of 0.1 s");
  });
  tests.run("targets: without a usable target, the one whose suspension ends first is taken, with a wait", [] {
    TargetPicker picker(2, middle);
    picker.failed(picker.pick(0, start), start);
    picker.failed(picker.pick(1, start), start + milliseconds(1));
    const auto choice = picker.pick(start + milliseconds(2));
    check(choice.target == 0 && choice.waits && !choice.limited && !choice.probe, "target 0, and a wait");
  });
}

void diagnosis_tests(tap::Tests &tests) {
  tests.run("diagnoses: one at a time, and one a second", [] {
    Diagnoses diagnoses(2);
    check(diagnoses.begin(0, start) && !diagnoses.begin(0, start + seconds(9)), "one runs");
    check(diagnoses.begin(1, start), "another target");
    diagnoses.end(0, {Diagnosis::Kind::unreachable, "refused"});
    check(!diagnoses.begin(0, start + milliseconds(999)) && diagnoses.begin(0, start + seconds(1)), "a second later");
    equal(diagnoses.last(0, start)->problem, "refused");
  });
}

void file_tests(tap::Tests &tests) {
  tests.run("files: a new content is used when two reads have it, and once", [] {
    FileWatch watch({"ca", "old", "key"});
    const PemFiles torn{"ca", "new", "key"}, complete{"ca", "new", "new key"};
    check(!watch.observe({"ca", "old", "key"}), "the old content");
    check(!watch.observe(torn), "one read");
    check(!watch.observe(complete), "another content");
    check(watch.observe(complete), "two reads");
    check(!watch.observe(complete), "once");
    check(!watch.observe({"ca", "old", "key"}) && watch.observe({"ca", "old", "key"}), "the way back");
  });
  tests.run("files: a content that goes back is not used", [] {
    FileWatch watch({"ca", "old", "key"});
    check(!watch.observe({"ca", "new", "key"}), "one read");
    check(!watch.observe({"ca", "old", "key"}), "the old content");
    check(!watch.observe({"ca", "new", "key"}), "one read again");
  });
}

void error_tests(tap::Tests &tests) {
  tests.run("errors: the status of HTTP", [] {
    const hmacd::ErrorFields fields;
    equal(http_status(hmacd::InvalidMac(fields, "the MAC is wrong")), 401);
    equal(http_status(hmacd::MessageTooLong(fields, 1, 2)), 413);
    equal(http_status(hmacd::DeadlineExceeded(fields, "no answer")), 503);
    equal(http_status(hmacd::Error(fields, "the key is disabled")), 503);
  });
  tests.run("errors: the text has the form of BEHAVIOR.md", [] {
    const hmacd::Error error({"TOKEN_BUSY", true, false, "a:1", 3, "id"}, "the queue is full");
    equal(std::string(error.what()), "TOKEN_BUSY: the queue is full (target a:1, 3 attempts)");
    check(error.retryable() && !error.may_have_run() && error.attempts() == 3 && error.request_id() == "id",
          "the fields");
    const hmacd::MessageTooLong too_long({"MESSAGE_TOO_LONG", false, false, "", 0, ""}, 4096, 4097);
    equal(std::string(too_long.what()), "MESSAGE_TOO_LONG: the message has 4097 bytes; the limit is 4096 (no target, 0 attempts)");
  });
}

}  // namespace

void logic_tests(tap::Tests &tests) {
  settings_tests(tests);
  bytes_tests(tests);
  retry_tests(tests);
  picker_tests(tests);
  diagnosis_tests(tests);
  file_tests(tests);
  error_tests(tests);
}
