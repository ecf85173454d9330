//! Tests of the client with the fake.

mod common;

use std::fs::{self, OpenOptions};
use std::process::Command;
use std::time::Duration;

use common::{hex, vectors};
use hmacd::testing::{Fake, Fault};
use hmacd::v1::ErrorReason;
use hmacd::{Algorithm, Client, Error, ErrorKind, Key, Settings};
use rcgen::{CertificateParams, KeyPair};

const KEY: &str = "alias/orders";
const SECRET: &[u8] = b"a secret of the test";
const LONG: Duration = Duration::from_secs(600);

fn fake() -> Fake {
    Fake::start([(KEY, Algorithm::HmacSha256, SECRET)]).unwrap()
}

/// Settings with timeouts that no test reaches.
fn settings<'a>(fakes: impl IntoIterator<Item = &'a Fake>) -> Settings {
    Settings::new(fakes.into_iter().map(Fake::target)).timeout(LONG).attempt_timeout(LONG)
}

fn key_of(settings: Settings) -> Key {
    Client::new(settings).unwrap().key(KEY, Algorithm::HmacSha256)
}

fn key(fake: &Fake) -> Key {
    key_of(settings([fake]))
}

#[track_caller]
fn assert_refused<T: std::fmt::Debug>(result: Result<T, Error>, reason: &str, attempts: u32) -> Error {
    let error = result.unwrap_err();
    assert_eq!((reason, attempts), (error.reason(), error.attempts()), "{error:?}");
    error
}

#[tokio::test]
async fn shared_vectors_of_macs_hold() {
    let vectors = vectors();
    let secret = hex(&vectors["key"]);
    let names = Algorithm::ALL.map(|algorithm| algorithm.to_string());
    let keys = Algorithm::ALL.iter().zip(&names).map(|(algorithm, name)| (name.as_str(), *algorithm, &*secret));
    let fake = Fake::start(keys).unwrap();
    let client = Client::new(settings([&fake])).unwrap();
    for vector in vectors["macs"].as_array().unwrap() {
        let name = vector["algorithm"].as_str().unwrap();
        let algorithm = Algorithm::ALL.into_iter().find(|algorithm| algorithm.to_string() == name).unwrap();
        let key = client.key(name, algorithm);
        let (message, mac) = (hex(&vector["message"]), hex(&vector["mac"]));
        assert_eq!(mac, key.generate(&message).await.unwrap());
        key.verify(&message, &mac).await.unwrap();
    }
}

#[tokio::test]
async fn shared_vectors_of_texts_hold() {
    let vectors = vectors();
    let fake = Fake::start([(KEY, Algorithm::HmacSha256, &*hex(&vectors["key"]))]).unwrap();
    let key = key(&fake);
    for vector in vectors["texts"].as_array().unwrap() {
        let text = vector["text"].as_str().unwrap();
        assert_eq!(hex(&vector["utf8"]), text.as_bytes());
        assert_eq!(hex(&vector["mac"]), key.generate(text).await.unwrap(), "{text:?}");
    }
}

#[tokio::test]
async fn wrong_mac_is_the_only_verdict_of_an_error() {
    let fake = fake();
    let key = key(&fake);
    let mut mac = key.generate("hello").await.unwrap();
    key.verify("hello", &mac).await.unwrap();
    mac[31] ^= 1;
    let error = assert_refused(key.verify("hello", &mac).await, "KMS_INVALID_MAC", 1);
    assert!(error.is_invalid_mac() && !error.is_retryable());
    assert_eq!(fake.target(), error.target());
    assert_eq!("00000000-0000-4000-8000-000000000000", error.request_id());
    for reason in [ErrorReason::Internal, ErrorReason::AccessDenied, ErrorReason::KeyNotUsable] {
        fake.order(1, Fault::Fails(reason));
        assert!(!key.verify("hello", &mac).await.unwrap_err().is_invalid_mac());
    }
}

#[tokio::test]
async fn mac_of_another_length_is_wrong_without_a_call() {
    let fake = fake();
    for length in [0, 1, 31, 33, 64] {
        let error = assert_refused(key(&fake).verify("hello", vec![0; length]).await, "KMS_INVALID_MAC", 0);
        assert!(error.is_invalid_mac());
    }
    assert_eq!(0, fake.calls());
}

#[tokio::test]
async fn empty_and_long_messages_are_refused_without_a_call() {
    let fake = fake();
    assert_refused(key(&fake).generate("").await, "INVALID_ARGUMENT", 0);
    assert_refused(key(&fake).verify("", [0; 32]).await, "INVALID_ARGUMENT", 0);
    let error = assert_refused(key(&fake).generate(vec![0; 65_537]).await, "MESSAGE_TOO_LONG", 0);
    assert_eq!(ErrorKind::MessageTooLong { limit: 65_536, size: 65_537 }, error.kind());
    assert!(!error.may_have_run());
    assert_eq!(0, fake.calls());
    key(&fake).generate(vec![0; 65_536]).await.unwrap();
}

#[tokio::test]
async fn long_message_is_refused_by_the_fake_too() {
    let fake = fake();
    let key = key_of(settings([&fake]).max_message_bytes(100_000));
    let error = assert_refused(key.generate(vec![0; 65_537]).await, "MESSAGE_TOO_LONG", 1);
    assert_eq!(ErrorKind::MessageTooLong { limit: 65_536, size: 65_537 }, error.kind());
    assert!(!error.is_retryable() && !error.may_have_run());
}

#[tokio::test]
async fn text_of_an_error_has_reason_target_and_attempts_only() {
    let fake = fake();
    fake.order(1, Fault::Fails(ErrorReason::AccessDenied));
    let error = key(&fake).generate("a secret message").await.unwrap_err();
    let expected = format!("ACCESS_DENIED: ordered by the test (target {}, 1 attempts)", fake.target());
    assert_eq!(expected, error.to_string());
}

#[tokio::test]
async fn damage_in_transit_is_repeated_once() {
    let fake = fake();
    fake.order(1, Fault::Damaged);
    let mac = key(&fake).generate("hello").await.unwrap();
    fake.order(1, Fault::Damaged);
    key(&fake).verify("hello", &mac).await.unwrap();
    fake.order(1, Fault::Fails(ErrorReason::ChecksumMismatch));
    key(&fake).generate("hello").await.unwrap();
    assert_eq!(6, fake.calls());
    fake.order(2, Fault::Damaged);
    assert_refused(key(&fake).generate("hello").await, "CHECKSUM_MISMATCH", 2);
    fake.order(2, Fault::Damaged);
    assert_refused(key(&fake).verify("hello", &mac).await, "CHECKSUM_MISMATCH", 2);
}

#[tokio::test]
async fn busy_and_unavailable_daemons_are_tried_again() {
    let fake = fake();
    for reason in [
        ErrorReason::TokenBusy,
        ErrorReason::RegistryBusy,
        ErrorReason::MemoryBusy,
        ErrorReason::TokenUnavailable,
        ErrorReason::KeyUnavailable,
        ErrorReason::RegistryUnavailable,
        ErrorReason::Stopping,
        ErrorReason::Unauthenticated,
    ] {
        let calls = fake.calls();
        fake.order(1, Fault::Fails(reason));
        key(&fake).generate("hello").await.unwrap();
        assert_eq!(calls + 2, fake.calls(), "{reason:?}");
    }
}

/// The second target has TLS: so the client has PEM files.
#[tokio::test]
async fn fifo_in_the_place_of_a_file_delays_no_retry() {
    let fake = fake();
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let keys = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(["client".to_owned()]).unwrap().self_signed(&keys).unwrap();
    fs::write(path("client.pem"), certificate.pem()).unwrap();
    fs::write(path("key.pem"), keys.serialize_pem()).unwrap();
    let settings = Settings::new([fake.target(), "localhost:1".to_owned()]);
    let settings = settings.tls(path("client.pem"), path("client.pem"), path("key.pem"));
    let client = Client::new(settings.timeout(Duration::from_secs(60))).unwrap();
    fs::remove_file(path("key.pem")).unwrap();
    assert!(Command::new("mkfifo").arg(path("key.pem")).status().unwrap().success());
    fake.order(1, Fault::Fails(ErrorReason::Unauthenticated));
    let result = client.key(KEY, Algorithm::HmacSha256).generate("hello").await;
    // A thread that reads the FIFO would block the end of the test.
    drop(OpenOptions::new().read(true).write(true).open(path("key.pem")));
    result.unwrap();
    assert_eq!(2, fake.calls());
    let lines = client.doctor().await;
    assert!(lines[1].ends_with("key.pem\": not a regular file"), "{lines:?}");
}

#[tokio::test]
async fn other_reasons_are_not_repeated() {
    let fake = fake();
    for (reason, name) in [
        (ErrorReason::AccessDenied, "ACCESS_DENIED"),
        (ErrorReason::Internal, "INTERNAL"),
        (ErrorReason::DeadlineExceeded, "DEADLINE_EXCEEDED"),
        (ErrorReason::KeyNotUsable, "KEY_NOT_USABLE"),
    ] {
        fake.order(1, Fault::Fails(reason));
        assert_refused(key(&fake).generate("hello").await, name, 1);
    }
    fake.order(2, Fault::Fails(ErrorReason::Unauthenticated));
    assert_refused(key(&fake).generate("hello").await, "UNAUTHENTICATED", 2);
}

#[tokio::test]
async fn retries_end_without_budget() {
    let fake = fake();
    let key = key(&fake);
    // Each call takes a token: its second attempt fails for good.
    for call in 0..101 {
        fake.order(1, Fault::Fails(ErrorReason::Unauthenticated));
        fake.order(1, Fault::Fails(ErrorReason::AccessDenied));
        if call < 100 {
            assert_refused(key.generate("hello").await, "ACCESS_DENIED", 2);
        } else {
            assert_refused(key.generate("hello").await, "UNAUTHENTICATED", 1);
        }
    }
}

#[tokio::test]
async fn call_uses_another_target_if_one_is_down() {
    let (down, up) = (fake(), fake());
    let key = key_of(settings([&down, &up]));
    drop(down);
    for _ in 0..10 {
        key.generate("hello").await.unwrap();
    }
    assert_eq!(10, up.calls());
}

#[tokio::test]
async fn calls_alternate_between_targets() {
    let fakes = [fake(), fake(), fake()];
    let key = key_of(settings(&fakes));
    for _ in 0..6 {
        key.generate("hello").await.unwrap();
    }
    assert_eq!([2, 2, 2], [0, 1, 2].map(|index: usize| fakes[index].calls()));
}

#[tokio::test]
async fn stopping_target_is_left() {
    let fakes = [fake(), fake()];
    let key = key_of(settings(&fakes));
    fakes[0].order(1000, Fault::Fails(ErrorReason::Stopping));
    for _ in 0..5 {
        key.generate("hello").await.unwrap();
    }
    assert_eq!(5, fakes[1].calls());
    assert!(fakes[0].calls() >= 1);
}

#[tokio::test]
async fn silent_target_is_left_after_the_attempt_timeout() {
    let fakes = [fake(), fake()];
    let key = key_of(settings(&fakes).attempt_timeout(Duration::from_millis(50)));
    fakes[0].order(1, Fault::Silent);
    key.generate("hello").await.unwrap();
    assert!(fakes[0].calls() >= 1);
}

#[tokio::test]
async fn call_to_a_silent_daemon_ends_at_its_deadline() {
    let fake = fake();
    let key = key(&fake);
    key.generate("hello").await.unwrap(); // Connects.
    fake.order(2, Fault::Silent);
    let error = key.with_timeout(Duration::from_millis(50)).generate("hello").await;
    let error = assert_refused(error, "DEADLINE_EXCEEDED", 1);
    assert_eq!(ErrorKind::DeadlineExceeded, error.kind());
    assert!(error.may_have_run() && error.is_retryable());
    let deadline = tokio::time::Instant::now() + Duration::from_millis(50);
    let error = assert_refused(key.with_deadline(deadline).generate("hello").await, "DEADLINE_EXCEEDED", 1);
    assert!(error.may_have_run());
}

#[tokio::test]
async fn call_without_connection_ends_at_its_deadline() {
    let fake = fake();
    let key = key_of(settings([&fake]).timeout(Duration::from_millis(300)));
    drop(fake);
    let error = key.generate("hello").await.unwrap_err();
    assert_eq!(ErrorKind::DeadlineExceeded, error.kind());
    assert!(!error.may_have_run());
    assert!(error.to_string().contains("the Unix socket does not exist"), "{error}");
}

#[tokio::test]
async fn go_away_is_not_seen_by_callers() {
    let fake = fake();
    let key = key(&fake);
    for _ in 0..100 {
        let (first, second) = tokio::join!(key.generate("hello"), async {
            fake.go_away();
            key.generate("hello").await
        });
        first.unwrap();
        second.unwrap();
        fake.go_away();
    }
    assert_eq!(200, fake.calls());
}

#[tokio::test]
async fn dropped_call_is_cancelled_and_others_continue() {
    let fake = fake();
    fake.order(1, Fault::Silent);
    let key = key(&fake);
    let call = tokio::spawn({
        let key = key.clone();
        async move { key.generate("hello").await }
    });
    while fake.calls() == 0 {
        tokio::task::yield_now().await;
    }
    call.abort();
    key.generate("hello").await.unwrap();
}

#[tokio::test]
async fn closed_client_refuses_calls() {
    let fake = fake();
    let client = Client::new(settings([&fake])).unwrap();
    let key = client.key(KEY, Algorithm::HmacSha256);
    key.generate("hello").await.unwrap();
    client.close().await;
    client.close().await;
    let error = assert_refused(key.generate("hello").await, "CLOSED", 0);
    assert_eq!(ErrorKind::Closed, error.kind());
}

/// Tokio advances the paused clock whenever all tasks wait.
#[tokio::test(start_paused = true)]
async fn call_that_close_cancels_is_closed_and_may_have_run() {
    let fake = fake();
    fake.order(1, Fault::Silent);
    let client = Client::new(settings([&fake])).unwrap();
    let key = client.key(KEY, Algorithm::HmacSha256);
    let call = tokio::spawn(async move { key.generate("hello").await });
    while fake.calls() == 0 {
        tokio::task::yield_now().await;
    }
    client.close().await;
    let error = assert_refused(call.await.unwrap(), "CLOSED", 1);
    assert_eq!(ErrorKind::Closed, error.kind());
    assert!(error.may_have_run() && !error.is_retryable());
}

#[tokio::test]
async fn key_has_the_arn_of_the_last_answer() {
    let fake = fake();
    let key = key(&fake);
    assert_eq!(None, key.arn());
    key.generate("hello").await.unwrap();
    assert_eq!(Some("arn:aws:kms:fake:000000000000:alias/orders"), key.arn().as_deref());
}

/// Each test of tokio has a runtime of its own. Here, one client is used by two.
#[test]
fn client_outlives_a_runtime() {
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let server = tokio::runtime::Runtime::new().unwrap();
    let fake = server.block_on(async { fake() });
    let key = key(&fake);
    for _ in 0..3 {
        runtime().block_on(async { key.generate("hello").await.unwrap() });
    }
}
