// Tests of webhooks and tokens, with the vectors of all packages.

#include <algorithm>

#include "encoding.h"
#include "fakes.h"
#include "hmacd/jwt.h"
#include "hmacd/webhook.h"
#include "tests.h"

namespace {

using namespace std::string_view_literals;
using hmacd::Algorithm;
using hmacd::Client;
using hmacd::Fake;
using hmacd::Key;
using hmacd::webhook::Format;
using hmacd::webhook::Headers;
using std::chrono::seconds;
using std::chrono::system_clock;
using tap::check;
using tap::equal;
using tap::thrown;

// A fake with the key of the vectors and another one.
struct Bench {
  Bench()
      : client(settings_for({fake.target()})),
        key(client.key(key_name, Algorithm::hmac_sha_256)),
        other(client.key("alias/other", Algorithm::hmac_sha_256)) {
    add_vector_key(fake);
    fake.add_key("alias/other", Algorithm::hmac_sha_256, "another secret"sv);
  }

  Fake fake;
  Client client;
  Key key, other;
};

struct Case {
  std::string name;
  Format format;
  // The header with the signature.
  std::string header;
};

const std::vector<Case> cases = {{"github", Format::github, "X-Hub-Signature-256"},
                                 {"stripe", Format::stripe, "Stripe-Signature"},
                                 {"slack", Format::slack, "X-Slack-Signature"},
                                 {"standard", Format::standard, "webhook-signature"}};

Headers vector_headers(const std::string &name) {
  Headers headers;
  for (const auto &header : vectors()["webhooks"][name].items()) headers.emplace(header.key(), header.value());
  return headers;
}

std::string body() { return vectors()["webhooks"]["body"]; }
system_clock::time_point vector_time() { return system_clock::time_point(seconds(vectors()["webhooks"]["time"])); }

void webhook_tests(tap::Tests &tests) {
  for (const auto &c : cases) {
    tests.run("webhook " + c.name + ": the signature of the vectors", [&] {
      Bench bench;
      const auto headers = hmacd::webhook::sign(c.format, bench.key, body(), {vector_time(), "msg_1"});
      check(headers == vector_headers(c.name), "the headers of the vectors");
      hmacd::webhook::verify(c.format, {bench.other, bench.key}, body(), headers, vector_time());
    });
    tests.run("webhook " + c.name + ": refused: another body, key, header", [&] {
      Bench bench;
      const auto headers = vector_headers(c.name);
      const auto refused = [&](const Headers &changed, const std::string &received, const Key &key) {
        thrown<hmacd::InvalidMac>([&] { hmacd::webhook::verify(c.format, {key}, received, changed, vector_time()); });
      };
      refused(headers, body() + "\n", bench.key);
      refused(headers, body(), bench.other);
      for (const auto &header : headers) {
        auto missing = headers;
        missing.erase(header.first);
        refused(missing, body(), bench.key);
      }
      const auto calls = bench.fake.calls();
      for (const std::string &value : {std::string(), std::string("v1"), headers.at(c.header) + "0", std::string(" "),
                                       "md5=" + std::string(64, '0')}) {
        auto malformed = headers;
        malformed.insert_or_assign(c.header, value);
        refused(malformed, body(), bench.key);
      }
      equal(bench.fake.calls(), calls);
    });
    tests.run("webhook " + c.name + ": an outage is neither right nor wrong", [&] {
      Bench bench;
      bench.fake.next(1, reason_fault("ACCESS_DENIED"));
      const auto error = thrown<hmacd::Error>([&] {
        hmacd::webhook::verify(c.format, {bench.key, bench.other}, body(), vector_headers(c.name), vector_time());
      });
      equal(error.reason(), "ACCESS_DENIED");
      bench.fake.next(1, reason_fault("ACCESS_DENIED"));
      hmacd::webhook::verify(c.format, {bench.other, bench.key}, body(), vector_headers(c.name), vector_time());
    });
    tests.run("webhook " + c.name + ": reserved content is wrong", [&] {
      Bench bench;
      bench.fake.next(1, reason_fault("RESERVED_MESSAGE"));
      thrown<hmacd::InvalidMac>(
          [&] { hmacd::webhook::verify(c.format, {bench.key}, body(), vector_headers(c.name), vector_time()); });
      equal(bench.fake.calls(), 1u);
    });
    if (c.format == Format::github) continue;
    tests.run("webhook " + c.name + ": the time stamp has a tolerance of 300 s", [&] {
      Bench bench;
      for (const int offset : {-300, 300}) {
        hmacd::webhook::verify(c.format, {bench.key}, body(), vector_headers(c.name), vector_time() + seconds(offset));
      }
      const auto calls = bench.fake.calls();
      for (const int offset : {-301, 301}) {
        thrown<hmacd::InvalidMac>([&] {
          hmacd::webhook::verify(c.format, {bench.key}, body(), vector_headers(c.name),
                                 vector_time() + seconds(offset));
        });
      }
      equal(bench.fake.calls(), calls);
    });
  }
  for (const auto &variant : vectors()["webhooks"]["variants"]) {
    const auto format = std::find_if(cases.begin(), cases.end(), [&](const Case &c) { return variant["format"] == c.name; });
    const bool accepted = variant["accepted"];
    const std::string name = variant["format"].get<std::string>() + ": " + variant["why"].get<std::string>();
    tests.run("webhook " + name + (accepted ? ": accepted" : ": refused"), [&] {
      Bench bench;
      Headers headers;
      for (const auto &header : variant["headers"].items()) headers.emplace(header.key(), header.value());
      const auto verify = [&] {
        hmacd::webhook::verify(format->format, {bench.key}, body(), headers, vector_time());
      };
      if (accepted) {
        verify();
      } else {
        thrown<hmacd::InvalidMac>(verify);
        equal(bench.fake.calls(), 0u);
      }
    });
  }
  tests.run("webhook: header names have no case", [] {
    Bench bench;
    hmacd::webhook::verify(Format::github, {bench.key}, body(),
                           {{"x-hub-signature-256", vector_headers("github").at("X-HUB-SIGNATURE-256")}});
  });
  tests.run("webhook: one of several signatures is enough, and more than 8 are refused", [] {
    Bench bench;
    const std::string right = vector_headers("stripe").at("Stripe-Signature");
    const auto with = [&](int wrong) {
      std::string value = right;
      for (int i = 0; i < wrong; ++i) value.insert(std::string("t=1700000000").size(), ",v1=" + std::string(64, '0'));
      return Headers{{"Stripe-Signature", value + ",v0=zz"}};
    };
    hmacd::webhook::verify(Format::stripe, {bench.key}, body(), with(7), vector_time());
    const auto calls = bench.fake.calls();
    thrown<hmacd::InvalidMac>(
        [&] { hmacd::webhook::verify(Format::stripe, {bench.key}, body(), with(8), vector_time()); });
    equal(bench.fake.calls(), calls);
  });
  tests.run("webhook: all calls share one deadline", [] {
    Bench bench;
    auto settings = settings_for({bench.fake.target()});
    settings.timeout = std::chrono::milliseconds(300);
    const Client client(settings);
    const Key key = client.key(key_name, Algorithm::hmac_sha_256);
    check(key.timeout() == settings.timeout, "the timeout of the client");
    const auto header = [](int signatures) {
      std::string value = "t=1700000000";
      for (int i = 0; i < signatures; ++i) value += ",v1=" + std::string(64, '0');
      return Headers{{"Stripe-Signature", value}};
    };
    bench.fake.next(16, fault(hmacd::FakeFault::Kind::no_answer));
    thrown<hmacd::DeadlineExceeded>(
        [&] { hmacd::webhook::verify(Format::stripe, {key}, body(), header(8), vector_time()); });
    check(bench.fake.calls() < 8, "the end of the attempts at the deadline");
    const auto options = within(std::chrono::milliseconds(0));
    const auto late = thrown<hmacd::DeadlineExceeded>(
        [&] { hmacd::webhook::verify(Format::stripe, {bench.key}, body(), header(1), vector_time(), options); });
    equal(late.attempts(), 0);
  });
  tests.run("webhook: malformed time stamps are refused", [] {
    Bench bench;
    for (const std::string time :
         {"", "-1700000000", "1.7e9", " 1700000000", "1700000000 ", "0000000000001700000000"}) {
      auto headers = vector_headers("slack");
      headers.insert_or_assign("X-Slack-Request-Timestamp", time);
      thrown<hmacd::InvalidMac>(
          [&] { hmacd::webhook::verify(Format::slack, {bench.key}, body(), headers, vector_time()); });
    }
    equal(bench.fake.calls(), 0u);
  });
  tests.run("webhook: a malformed id is refused, also with a right signature", [] {
    Bench bench;
    // The signed text of the id "msg", the time stamp 1600000000 and the body "1700000000.x".
    const std::string text = "msg.1600000000.1700000000.x";
    const std::string mac = hmacd::internal::to_base64(bench.key.generate(text), hmacd::internal::Base64::standard);
    const auto calls = bench.fake.calls();
    for (const std::string id : {"msg.1600000000", "", "a b", "a\n"}) {
      const Headers headers = {
          {"webhook-id", id}, {"webhook-timestamp", "1700000000"}, {"webhook-signature", "v1," + mac}};
      thrown<hmacd::InvalidMac>(
          [&] { hmacd::webhook::verify(Format::standard, {bench.key}, "x"sv, headers, vector_time()); });
    }
    equal(bench.fake.calls(), calls);
  });
  tests.run("webhook: wrong arguments are errors of their own", [] {
    Bench bench;
    const Key sha512 = bench.client.key(key_name, Algorithm::hmac_sha_512);
    equal(thrown<hmacd::Error>([&] { hmacd::webhook::sign(Format::github, sha512, body()); }).reason(),
          "INVALID_ARGUMENT");
    equal(thrown<hmacd::Error>([&] { hmacd::webhook::verify(Format::github, {}, body(), {}); }).reason(),
          "INVALID_ARGUMENT");
    for (const std::string id : {"", "a.b", "a b", "a\n"}) {
      thrown<hmacd::Error>([&] { hmacd::webhook::sign(Format::standard, bench.key, body(), {vector_time(), id}); });
    }
  });
}

Algorithm algorithm_of(const std::string &alg) { return algorithm("HMAC_SHA_" + alg.substr(2)); }

// A token with any header and claims, signed with the key of the vectors.
std::string token(const Key &key, const std::string &header, const std::string &claims) {
  using hmacd::internal::Base64;
  using hmacd::internal::to_base64;
  const std::string message = to_base64(header, Base64::url) + "." + to_base64(claims, Base64::url);
  return message + "." + to_base64(key.generate(message), Base64::url);
}

void jwt_tests(tap::Tests &tests) {
  tests.run("JWT: the tokens of the vectors are signed and verified", [] {
    Bench bench;
    const std::string claims = R"({"sub":"4711","exp":4000000000})";
    check(nlohmann::json::parse(claims) == vectors()["jwt"]["claims"], "the claims of the vectors");
    for (const auto &vector : vectors()["jwt"]["right"]) {
      const auto algorithm = algorithm_of(vector["alg"]);
      add_vector_key(bench.fake, algorithm);
      const Key key = bench.client.key(key_name, algorithm);
      equal(hmacd::jwt::sign(key, vector["kid"].get<std::string>(), claims), vector["token"].get<std::string>());
      equal(hmacd::jwt::verify({{"k1", key}}, vector["token"].get<std::string>()), claims);
    }
  });
  for (const auto &vector : vectors()["jwt"]["wrong"]) {
    tests.run("JWT: refused: " + vector["why"].get<std::string>(), [&] {
      Bench bench;
      const hmacd::jwt::Keys keys{{"k1", bench.client.key(key_name, algorithm_of(vector["alg"]))}};
      thrown<hmacd::InvalidMac>([&] { hmacd::jwt::verify(keys, vector["token"].get<std::string>()); });
      equal(bench.fake.calls(), vector["why"] == "another key" ? 1u : 0u);
    });
  }
  for (const auto &vector : vectors()["jwt"]["accepted"]) {
    tests.run("JWT: accepted: " + vector["why"].get<std::string>(), [&] {
      Bench bench;
      const hmacd::jwt::Keys keys{{"k1", bench.client.key(key_name, algorithm_of(vector["alg"]))}};
      const std::string claims = hmacd::jwt::verify(keys, vector["token"].get<std::string>());
      check(nlohmann::json::parse(claims) == vectors()["jwt"]["claims"], "the claims of the vectors");
    });
  }
  const auto refused = [&tests](const std::string &name, const std::string &header, const std::string &claims,
                                std::size_t calls) {
    tests.run("JWT: refused: " + name, [=] {
      Bench bench;
      const std::string text = token(bench.key, header, claims);
      thrown<hmacd::InvalidMac>(
          [&] { hmacd::jwt::verify({{"k1", bench.key}}, text, system_clock::time_point(seconds(1000))); });
      equal(bench.fake.calls(), 1 + calls);
    });
  };
  const std::string header = R"({"alg":"HS256","kid":"k1"})";
  refused("alg none", R"({"alg":"none","kid":"k1"})", "{}", 0);
  refused("no alg", R"({"kid":"k1"})", "{}", 0);
  refused("an alg that is not text", R"({"alg":["HS256"],"kid":"k1"})", "{}", 0);
  refused("no kid", R"({"alg":"HS256"})", "{}", 0);
  refused("a kid that is not text", R"({"alg":"HS256","kid":1})", "{}", 0);
  refused("two algs", R"({"alg":"HS256","alg":"HS256","kid":"k1"})", "{}", 0);
  refused("crit", R"({"alg":"HS256","kid":"k1","crit":["b64"]})", "{}", 0);
  refused("b64 false", R"({"alg":"HS256","kid":"k1","b64":false})", "{}", 0);
  refused("crit with b64 false", R"({"alg":"HS256","kid":"k1","b64":false,"crit":["b64"]})", "{}", 0);
  refused("a header that is not an object", R"(["HS256"])", "{}", 0);
  refused("claims that are not an object", header, "[]", 1);
  refused("an end now", header, R"({"exp":1000})", 1);
  refused("an end that is text", header, R"({"exp":"4000000000"})", 1);
  refused("a start later", header, R"({"nbf":1001})", 1);
  tests.run("JWT: accepted: a token without times, and one that starts now", [] {
    Bench bench;
    for (const std::string claims : {"{}", R"({"nbf":1000,"exp":1000.5})"}) {
      const std::string text = token(bench.key, R"({"alg":"HS256","kid":"k1"})", claims);
      equal(hmacd::jwt::verify({{"k1", bench.key}}, text, system_clock::time_point(seconds(1000))), claims);
    }
  });
  tests.run("JWT: refused: changed texts of a token", [] {
    Bench bench;
    const std::string right = vectors()["jwt"]["right"][0]["token"];
    for (const std::string &text : {std::string(), std::string(".."), right + ".", right + "=", right + "\n",
                                    " " + right, right.substr(0, right.size() - 1), "." + right}) {
      thrown<hmacd::InvalidMac>([&] { hmacd::jwt::verify({{"k1", bench.key}}, text); });
    }
    equal(bench.fake.calls(), 0u);
  });
  tests.run("JWT: an outage is not a bad signature", [] {
    Bench bench;
    bench.fake.next(1, reason_fault("ACCESS_DENIED"));
    const std::string text = vectors()["jwt"]["right"][0]["token"];
    equal(thrown<hmacd::Error>([&] { hmacd::jwt::verify({{"k1", bench.key}}, text); }).reason(), "ACCESS_DENIED");
  });
  tests.run("JWT: wrong claims and keys are refused before the signature", [] {
    Bench bench;
    for (const auto *claims : {"", "[]", "{", R"({"a":1,"a":1})"}) {
      equal(thrown<hmacd::Error>([&] { hmacd::jwt::sign(bench.key, "k1", claims); }).reason(), "INVALID_ARGUMENT");
    }
    thrown<hmacd::Error>([&] { hmacd::jwt::sign(bench.key, "\xff", "{}"); });
    const Key sha224 = bench.client.key(key_name, Algorithm::hmac_sha_224);
    thrown<hmacd::Error>([&] { hmacd::jwt::sign(sha224, "k1", "{}"); });
    equal(bench.fake.calls(), 0u);
  });
}

}  // namespace

void adapter_tests(tap::Tests &tests) {
  webhook_tests(tests);
  jwt_tests(tests);
}
