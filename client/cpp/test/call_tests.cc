// Tests of calls with fakes.

#include <atomic>
#include <future>
#include <type_traits>

#include "fakes.h"
#include "tests.h"

namespace {

using namespace std::string_view_literals;
using hmacd::Algorithm;
using hmacd::Client;
using hmacd::Fake;
using hmacd::FakeFault;
using hmacd::Key;
using std::chrono::milliseconds;
using tap::check;
using tap::equal;
using tap::thrown;
using Kind = FakeFault::Kind;

static_assert(!std::is_constructible_v<hmacd::BytesView, const char *>, "a literal ends at its first zero byte");
static_assert(!std::is_constructible_v<hmacd::BytesView, std::vector<int>>, "not bytes");
static_assert(std::is_constructible_v<hmacd::BytesView, std::vector<unsigned char>>, "bytes");

// A fake, a client and a key.
struct Bench {
  explicit Bench(std::function<void(hmacd::Settings &)> change = [](hmacd::Settings &) {})
      : client([&] {
          auto settings = settings_for({fake.target()});
          change(settings);
          return settings;
        }()),
        key(client.key(key_name, Algorithm::hmac_sha_256)) {
    add_vector_key(fake);
  }

  Fake fake;
  Client client;
  Key key;
};

void mac_tests(tap::Tests &tests) {
  tests.run("vectors: each MAC is generated and verified", [] {
    Bench bench;
    for (const auto &vector : vectors()["macs"]) {
      const auto algorithm = ::algorithm(vector["algorithm"]);
      add_vector_key(bench.fake, algorithm);
      const Key key = bench.client.key(key_name, algorithm);
      equal(hmacd::internal::to_hex(key.generate(vector_bytes(vector["message"]))), vector["mac"].get<std::string>());
      key.verify(vector_bytes(vector["message"]), vector_bytes(vector["mac"]));
    }
  });
  tests.run("vectors: a text is its UTF-8 bytes, without decoding", [] {
    Bench bench;
    for (const auto &vector : vectors()["texts"]) {
      const auto text = vector["text"].get<std::string>();
      equal(hmacd::internal::to_hex(text), vector["utf8"].get<std::string>());
      equal(hmacd::internal::to_hex(bench.key.generate(text)), vector["mac"].get<std::string>());
    }
  });
  tests.run("a message does not end at a zero byte", [] {
    Bench bench;
    check(bench.key.generate("pay 1\0 00 EUR"sv) != bench.key.generate("pay 1"sv), "different MACs");
  });
  tests.run("an empty message is refused without a call", [] {
    Bench bench;
    equal(thrown<hmacd::Error>([&] { bench.key.generate(""sv); }).reason(), "INVALID_ARGUMENT");
    equal(thrown<hmacd::Error>([&] { bench.key.verify(""sv, std::string(32, 'm')); }).reason(), "INVALID_ARGUMENT");
    equal(bench.fake.calls(), 0u);
  });
  tests.run("a message over the limit is refused without a call", [] {
    Bench bench([](hmacd::Settings &settings) { settings.max_message_bytes = 10; });
    bench.key.generate(std::string(10, 'm'));
    const auto error = thrown<hmacd::MessageTooLong>([&] { bench.key.generate(std::string(11, 'm')); });
    check(error.limit() == 10 && error.size() == 11 && error.reason() == "MESSAGE_TOO_LONG", "limit 10, size 11");
    equal(bench.fake.calls(), 1u);
  });
  tests.run("MESSAGE_TOO_LONG of the daemon is MessageTooLong", [] {
    Bench bench;
    bench.fake.next(1, reason_fault("MESSAGE_TOO_LONG"));
    const auto error = thrown<hmacd::MessageTooLong>([&] { bench.key.generate("hello"sv); });
    check(error.size() == 5 && error.reason() == "MESSAGE_TOO_LONG" && !error.retryable(), "size 5");
  });
  tests.run("the fake has the limit of the daemon", [] {
    Bench bench([](hmacd::Settings &settings) { settings.max_message_bytes = 100'000; });
    bench.key.generate(std::string(65'536, 'm'));
    const auto error = thrown<hmacd::MessageTooLong>([&] { bench.key.generate(std::string(65'537, 'm')); });
    check(error.limit() == 65'536 && error.size() == 65'537 && error.attempts() == 1, "limit 65536, size 65537");
    check(!error.may_have_run(), "not executed");
  });
  tests.run("REQUEST_TOO_LONG of the daemon is MessageTooLong", [] {
    Bench bench;
    bench.fake.next(1, reason_fault("REQUEST_TOO_LONG"));
    const auto error = thrown<hmacd::MessageTooLong>([&] { bench.key.generate("hello"sv); });
    // The name of the key, the message, the algorithm and the checksum.
    check(error.size() == 2 + key_name.size() + 2 + 5 + 2 + 5, "the length of the request");
    check(error.reason() == "REQUEST_TOO_LONG" && !error.may_have_run(), "REQUEST_TOO_LONG");
  });
  tests.run("a wrong MAC is InvalidMac", [] {
    Bench bench;
    std::string mac = bench.key.generate("hello"sv);
    mac.back() ^= 1;
    const auto error = thrown<hmacd::InvalidMac>([&] { bench.key.verify("hello"sv, mac); });
    check(error.reason() == "KMS_INVALID_MAC" && error.attempts() == 1 && !error.retryable(), "one attempt");
    equal(error.request_id(), "fake-2");
    check(std::string(error.what()).find("hello") == std::string::npos, "no message in the text");
  });
  tests.run("a MAC of another length is InvalidMac without a call", [] {
    Bench bench;
    for (const std::size_t size : {0, 31, 33, 64}) {
      thrown<hmacd::InvalidMac>([&] { bench.key.verify("hello"sv, std::string(size, 'm')); });
    }
    equal(bench.fake.calls(), 0u);
  });
  tests.run("open_key reads the algorithm and the ARN", [] {
    Bench bench;
    add_vector_key(bench.fake, Algorithm::hmac_sha_384);
    const Key key = bench.client.open_key(key_name);
    check(key.algorithm() == Algorithm::hmac_sha_384, "HMAC_SHA_384");
    check(key.arn().find(key_name) != std::string::npos, "an ARN");
    equal(key.generate("hello"sv).size(), 48u);
    equal(thrown<hmacd::Error>([&] { bench.client.open_key("alias/other"); }).reason(), "KEY_NOT_FOUND");
  });
  tests.run("a bound key has an ARN after its first answer", [] {
    Bench bench;
    equal(bench.key.arn(), "");
    bench.key.generate("hello"sv);
    check(bench.key.arn().find(key_name) != std::string::npos, "an ARN");
  });
  tests.run("a wrong name or algorithm of a key is refused", [] {
    Bench bench;
    thrown<hmacd::Error>([&] { bench.client.key("", Algorithm::hmac_sha_256); });
    thrown<hmacd::Error>([&] { bench.client.key(std::string(2049, 'k'), Algorithm::hmac_sha_256); });
    thrown<hmacd::Error>([&] { bench.client.key("k", static_cast<Algorithm>(9)); });
  });
}

void failure_tests(tap::Tests &tests) {
  tests.run("damage in transit is repeated once", [] {
    Bench bench;
    const std::string mac = bench.key.generate("hello"sv);
    bench.fake.next(1, fault(Kind::damage));
    equal(bench.key.generate("hello"sv), mac);
    bench.fake.next(1, fault(Kind::damage));
    bench.key.verify("hello"sv, mac);
    equal(bench.fake.calls(), 5u);
    bench.fake.next(2, fault(Kind::damage));
    const auto error = thrown<hmacd::Error>([&] { bench.key.verify("hello"sv, mac); });
    check(error.reason() == "CHECKSUM_MISMATCH" && error.attempts() == 2 && error.may_have_run(), "two attempts");
  });
  tests.run("busy and unavailable are repeated", [] {
    Bench bench;
    for (const auto *reason : {"TOKEN_BUSY", "MEMORY_BUSY", "TOKEN_UNAVAILABLE", "STOPPING"}) {
      bench.fake.next(1, reason_fault(reason));
      bench.key.generate("hello"sv);
    }
    equal(bench.fake.calls(), 8u);
  });
  tests.run("a refusal is not repeated", [] {
    Bench bench;
    bench.fake.next(1, reason_fault("ACCESS_DENIED"));
    const auto error = thrown<hmacd::Error>([&] { bench.key.generate("hello"sv); });
    check(error.reason() == "ACCESS_DENIED" && !error.may_have_run() && !error.retryable(), "one refusal");
    equal(bench.fake.calls(), 1u);
  });
  tests.run("the pushback of the daemon forbids a repetition", [] {
    Bench bench;
    auto busy = reason_fault("TOKEN_BUSY");
    busy.no_retry = true;
    bench.fake.next(1, busy);
    const auto error = thrown<hmacd::Error>([&] { bench.key.generate("hello"sv); });
    check(error.reason() == "TOKEN_BUSY" && error.attempts() == 1 && error.retryable(), "one attempt");
  });
  tests.run("a back-off after the deadline ends the call with the last error", [] {
    Bench bench;
    auto busy = reason_fault("TOKEN_BUSY");
    busy.retry_delay = std::chrono::hours(1);
    bench.fake.next(1, busy);
    equal(thrown<hmacd::Error>([&] { bench.key.generate("hello"sv); }).reason(), "TOKEN_BUSY");
  });
  tests.run("an unknown reason is repeated if the daemon asks for it", [] {
    Bench bench;
    auto asking = reason_fault("NEW_REASON");
    asking.retry_delay = milliseconds(0);
    bench.fake.next(1, asking);
    bench.key.generate("hello"sv);
    equal(bench.fake.calls(), 2u);
    asking.retry_delay = std::chrono::hours(1);
    bench.fake.next(1, asking);
    const auto later = thrown<hmacd::Error>([&] { bench.key.generate("hello"sv); });
    check(later.reason() == "NEW_REASON" && later.attempts() == 1 && later.retryable() && later.may_have_run(),
          "an error that is retryable");
    bench.fake.next(1, reason_fault("NEW_REASON"));
    const auto final = thrown<hmacd::Error>([&] { bench.key.generate("hello"sv); });
    check(final.attempts() == 1 && !final.retryable() && final.may_have_run(), "an error that is not retryable");
  });
  for (const std::string reason : {"CONNECTION_FAILED", "TLS_FAILED", "CANCELLED", "CLOSED", "INVALID_ARGUMENT"}) {
    tests.run("the local reason " + reason + " in an answer is an unknown reason", [=] {
      Bench bench;
      bench.fake.next(1, reason_fault(reason));
      const auto error = thrown<hmacd::Error>([&] { bench.key.generate("hello"sv); });
      check(error.reason() == "UNKNOWN" && error.attempts() == 1, "one attempt");
      check(!error.retryable() && error.may_have_run(), "the properties of an unknown reason");
      auto asking = reason_fault(reason);
      asking.retry_delay = milliseconds(0);
      bench.fake.next(1, asking);
      bench.key.generate("hello"sv);
      equal(bench.fake.calls(), 3u);
    });
  }
  tests.run("UNAUTHENTICATED is repeated once", [] {
    Bench bench;
    bench.fake.next(1, reason_fault("UNAUTHENTICATED"));
    bench.key.generate("hello"sv);
    bench.fake.next(2, reason_fault("UNAUTHENTICATED"));
    equal(thrown<hmacd::Error>([&] { bench.key.generate("hello"sv); }).attempts(), 2);
  });
  tests.run("no answer ends at the deadline of the caller, on the wire, without a verdict", [] {
    Bench bench;
    bench.fake.next(1, fault(Kind::no_answer));
    const auto error = thrown<hmacd::DeadlineExceeded>(
        [&] { bench.key.verify("hello"sv, std::string(32, 'm'), within(milliseconds(300))); });
    check(error.may_have_run(), "a call that may have run");
    eventually("the end of the call at the daemon", [&] { return bench.fake.cancelled() == bench.fake.calls(); });
  });
  tests.run("a cancelled call ends on the wire", [] {
    Bench bench;
    bench.fake.next(1, fault(Kind::no_answer));
    hmacd::CallOptions options;
    options.cancellation.emplace();
    std::promise<std::string> reason;
    bench.key.generate_async(
        "hello"sv,
        [&](const hmacd::Result<std::string> &result) {
          reason.set_value(thrown<hmacd::Error>([&] { result.get(); }).reason());
        },
        options);
    eventually("the call at the daemon", [&] { return bench.fake.calls() == 1; });
    options.cancellation->cancel();
    equal(reason.get_future().get(), "CANCELLED");
    eventually("the end of the call at the daemon", [&] { return bench.fake.cancelled() == 1; });
    equal(thrown<hmacd::Error>([&] { bench.key.generate("hello"sv, options); }).attempts(), 0);
  });
  tests.run("a cancellation ends a back-off", [] {
    Bench bench;
    auto busy = reason_fault("TOKEN_BUSY");
    busy.retry_delay = long_time - std::chrono::seconds(10);
    bench.fake.next(1, busy);
    hmacd::CallOptions options;
    options.cancellation.emplace();
    std::promise<std::string> reason;
    bench.key.generate_async(
        "hello"sv,
        [&](const hmacd::Result<std::string> &result) {
          reason.set_value(thrown<hmacd::Error>([&] { result.get(); }).reason());
        },
        options);
    eventually("the call at the daemon", [&] { return bench.fake.calls() == 1; });
    options.cancellation->cancel();
    equal(reason.get_future().get(), "CANCELLED");
  });
  tests.run("without a daemon, the call fails at its deadline, with the cause", [] {
    Client client(settings_for({"unix:/nonexistent/hmacd.sock"}));
    const Key key = client.key(key_name, Algorithm::hmac_sha_256);
    eventually("the cause in the text", [&] {
      const auto error =
          thrown<hmacd::Error>([&] { key.verify("hello"sv, std::string(32, 'm'), within(milliseconds(3000))); });
      check(error.reason() == "CONNECTION_FAILED" && !error.may_have_run() && error.retryable(), "a failed connection");
      equal(error.target(), "unix:/nonexistent/hmacd.sock");
      return std::string(error.what()).find("No such file") != std::string::npos;
    });
  });
  tests.run("a call waits for a daemon that comes back", [] {
    Bench bench;
    bench.key.generate("hello"sv);
    bench.fake.stop();
    std::promise<int> size;
    bench.key.generate_async("hello"sv,
                             [&](const hmacd::Result<std::string> &result) { size.set_value(result.get().size()); });
    bench.fake.start();
    equal(size.get_future().get(), 32);
  });
}

void target_tests(tap::Tests &tests) {
  tests.run("calls alternate between targets", [] {
    Fake a, b;
    add_vector_key(a);
    add_vector_key(b);
    Client client(settings_for({a.target(), b.target()}));
    const Key key = client.key(key_name, Algorithm::hmac_sha_256);
    for (int i = 0; i < 10; ++i) key.generate("hello"sv);
    check(a.calls() == 5 && b.calls() == 5, "five calls each");
  });
  tests.run("a stopped target fails no call, and gets calls again", [] {
    Fake a, b;
    add_vector_key(a);
    add_vector_key(b);
    Client client(settings_for({a.target(), b.target()}));
    const Key key = client.key(key_name, Algorithm::hmac_sha_256);
    a.stop();
    for (int i = 0; i < 20; ++i) key.generate("hello"sv);
    equal(a.calls(), 0u);
    a.start();
    eventually("calls at the started target", [&] {
      key.generate("hello"sv);
      return a.calls() > 0;
    });
  });
  tests.run("a target without answers costs the attempt timeout, then takes no attempts", [] {
    Fake a, b;
    add_vector_key(a);
    add_vector_key(b);
    a.next(1000, fault(Kind::no_answer));
    auto settings = settings_for({a.target(), b.target()});
    settings.attempt_timeout = milliseconds(200);
    Client client(std::move(settings));
    const Key key = client.key(key_name, Algorithm::hmac_sha_256);
    for (int i = 0; i < 20; ++i) key.generate("hello"sv);
    check(a.calls() >= 1 && b.calls() >= 20, "each answer from the other target");
  });
  tests.run("STOPPING moves calls to the other target", [] {
    Fake a, b;
    add_vector_key(a);
    add_vector_key(b);
    a.next(1000, reason_fault("STOPPING"));
    Client client(settings_for({a.target(), b.target()}));
    const Key key = client.key(key_name, Algorithm::hmac_sha_256);
    for (int i = 0; i < 20; ++i) key.generate("hello"sv);
    equal(b.calls(), 20u);
  });
  tests.run("a wrong MAC is not asked again at another target", [] {
    Fake a, b;
    add_vector_key(a);
    add_vector_key(b);
    Client client(settings_for({a.target(), b.target()}));
    const Key key = client.key(key_name, Algorithm::hmac_sha_256);
    thrown<hmacd::InvalidMac>([&] { key.verify("hello"sv, std::string(32, 'm')); });
    equal(a.calls() + b.calls(), 1u);
  });
  tests.run("many threads share a client", [] {
    Bench bench;
    std::vector<std::future<void>> threads;
    for (int i = 0; i < 8; ++i) {
      threads.push_back(std::async(std::launch::async, [&bench, i] {
        for (int j = 0; j < 50; ++j) {
          const std::string message = std::to_string(i) + "." + std::to_string(j);
          bench.key.verify(message, bench.key.generate(message));
        }
      }));
    }
    for (auto &thread : threads) thread.get();
    equal(bench.fake.calls(), 800u);
  });
}

void close_tests(tap::Tests &tests) {
  tests.run("close refuses new calls, and is idempotent", [] {
    Bench bench;
    bench.key.generate("hello"sv);
    bench.client.close();
    bench.client.close();
    equal(thrown<hmacd::Closed>([&] { bench.key.generate("hello"sv); }).reason(), "CLOSED");
    thrown<hmacd::Closed>([&] { bench.client.doctor(); });
    equal(bench.fake.calls(), 1u);
  });
  tests.run("close waits for a call in flight", [] {
    Bench bench;
    auto late = fault(Kind::late);
    late.delay = milliseconds(500);
    bench.fake.next(1, late);
    std::atomic<bool> ended{false};
    bench.key.generate_async("hello"sv,
                             [&](const hmacd::Result<std::string> &result) { ended = result.get().size() == 32; });
    bench.client.close();
    check(ended, "an answer before the end of close");
  });
  tests.run("close cancels a call that does not end", [] {
    Bench bench;
    bench.fake.next(1, fault(Kind::no_answer));
    std::promise<hmacd::Result<std::string>> end;
    bench.key.generate_async("hello"sv, [&](const hmacd::Result<std::string> &result) { end.set_value(result); });
    bench.client.close();
    const auto error = thrown<hmacd::Closed>([&] { end.get_future().get().get(); });
    equal(error.reason(), "CLOSED");
    check(error.attempts() == 1 && error.may_have_run() && !error.retryable(), "a call that may have run");
  });
  tests.run("clients are created, used and destroyed in turn", [] {
    for (int i = 0; i < 200; ++i) {
      Bench bench;
      bench.key.generate_async("hello"sv, [](const hmacd::Result<std::string> &result) { result.get(); });
    }
  });
  tests.run("the observer gets each call, without secrets", [] {
    std::vector<hmacd::CallRecord> records;
    {
      Bench bench([&](hmacd::Settings &settings) {
        settings.observer = [&](const hmacd::CallRecord &record) { records.push_back(record); };
      });
      bench.key.generate("hello"sv);
      bench.fake.next(1, reason_fault("ACCESS_DENIED"));
      thrown<hmacd::Error>([&] { bench.key.verify("hello"sv, std::string(32, 'm')); });
      for (const auto *reason : {"NEW_REASON", "CLOSED"}) {
        bench.fake.next(1, reason_fault(reason));
        thrown<hmacd::Error>([&] { bench.key.generate("hello"sv); });
      }
      bench.client.close();
    }
    equal(records.size(), 4u);
    check(records[2].reason == "UNKNOWN" && records[3].reason == "UNKNOWN", "no text of the peer");
    check(
        records[0].method == "hmacd.v1.MacService/GenerateMac" && records[0].reason.empty() && records[0].attempts == 1,
        "a success");
    check(records[1].method == "hmacd.v1.MacService/VerifyMac" && records[1].reason == "ACCESS_DENIED", "a refusal");
  });
}

}  // namespace

void call_tests(tap::Tests &tests) {
  mac_tests(tests);
  failure_tests(tests);
  target_tests(tests);
  close_tests(tests);
}
