//! Tests of webhooks with the fake.

mod common;

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use common::{hex, vectors};
use hmacd::testing::{Fake, Fault};
use hmacd::v1::ErrorReason;
use hmacd::webhooks::{Format, Verifier, VerifyLayer, sign, sign_as};
use hmacd::{Algorithm, Client, Key, Settings};
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use serde_json::Value;
use tower_layer::Layer;
use tower_service::Service;

const FORMATS: [(&str, Format); 4] =
    [("github", Format::GitHub), ("stripe", Format::Stripe), ("slack", Format::Slack), ("standard", Format::Standard)];

struct Webhooks {
    fake: Fake,
    vectors: Value,
}

impl Webhooks {
    fn new() -> Webhooks {
        let vectors = vectors();
        let secret = hex(&vectors["key"]);
        let keys = [("right", &*secret), ("other", b"x"), ("third", b"y")];
        let fake = Fake::start(keys.map(|(name, secret)| (name, Algorithm::HmacSha256, secret))).unwrap();
        Webhooks { fake, vectors: vectors["webhooks"].clone() }
    }

    fn key(&self, name: &str) -> Key {
        self.fake.client().with_timeout(Duration::from_secs(60)).key(name, Algorithm::HmacSha256)
    }

    fn verifier(&self, format: Format, keys: &[&str]) -> Verifier {
        Verifier::new(format, keys.iter().map(|name| self.key(name))).unwrap()
    }

    fn body(&self) -> &[u8] {
        self.vectors["body"].as_str().unwrap().as_bytes()
    }

    fn time(&self, offset: i64) -> SystemTime {
        let seconds = self.vectors["time"].as_i64().unwrap() + offset;
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds.try_into().unwrap())
    }

    fn headers(&self, format: &str) -> HeaderMap {
        headers_of(&self.vectors[format])
    }
}

fn headers_of(fields: &Value) -> HeaderMap {
    let fields = fields.as_object().unwrap().iter();
    fields.map(|(name, value)| (name.parse().unwrap(), value.as_str().unwrap().parse().unwrap())).collect()
}

#[tokio::test]
async fn shared_variants_are_accepted_or_wrong() {
    let webhooks = Webhooks::new();
    for variant in webhooks.vectors["variants"].as_array().unwrap() {
        let (_, format) = FORMATS.into_iter().find(|(name, _)| variant["format"] == *name).unwrap();
        let headers = headers_of(&variant["headers"]);
        let verified =
            webhooks.verifier(format, &["right"]).verify_at(&headers, webhooks.body(), webhooks.time(0)).await;
        match variant["accepted"].as_bool().unwrap() {
            true => verified.unwrap(),
            false => assert!(verified.unwrap_err().is_invalid_mac(), "{variant}"),
        }
    }
}

#[tokio::test]
async fn shared_vectors_are_signed_and_verified() {
    let webhooks = Webhooks::new();
    for (name, format) in FORMATS {
        let signed = sign_as(format, &webhooks.key("right"), "msg_1", webhooks.time(0), webhooks.body()).await.unwrap();
        assert_eq!(webhooks.headers(name), signed);
        let verifier = webhooks.verifier(format, &["right"]);
        for offset in [-300, 0, 300] {
            verifier.verify_at(&signed, webhooks.body(), webhooks.time(offset)).await.unwrap();
        }
    }
}

#[tokio::test]
async fn webhook_of_now_is_verified_now() {
    let webhooks = Webhooks::new();
    for (_, format) in FORMATS {
        let headers = sign(format, &webhooks.key("right"), b"body").await.unwrap();
        webhooks.verifier(format, &["right"]).verify(&headers, b"body").await.unwrap();
    }
}

#[tokio::test]
async fn changed_body_and_another_key_are_wrong() {
    let webhooks = Webhooks::new();
    for (name, format) in FORMATS {
        let headers = webhooks.headers(name);
        let right = webhooks.verifier(format, &["right"]);
        assert!(right.verify_at(&headers, b"{}", webhooks.time(0)).await.unwrap_err().is_invalid_mac());
        let other = webhooks.verifier(format, &["other"]);
        assert!(other.verify_at(&headers, webhooks.body(), webhooks.time(0)).await.unwrap_err().is_invalid_mac());
    }
}

#[tokio::test]
async fn old_future_and_missing_headers_are_wrong_without_a_call() {
    let webhooks = Webhooks::new();
    for (name, format) in FORMATS {
        let verifier = webhooks.verifier(format, &["right"]);
        let empty = verifier.verify_at(&HeaderMap::new(), webhooks.body(), webhooks.time(0)).await;
        assert!(empty.unwrap_err().is_invalid_mac());
        for offset in [-301, 301] {
            if format != Format::GitHub {
                let late = verifier.verify_at(&webhooks.headers(name), webhooks.body(), webhooks.time(offset)).await;
                assert!(late.unwrap_err().is_invalid_mac());
            }
        }
    }
    assert_eq!(0, webhooks.fake.calls());
}

#[tokio::test]
async fn one_of_several_keys_is_enough() {
    let webhooks = Webhooks::new();
    for (name, format) in FORMATS {
        let verifier = webhooks.verifier(format, &["other", "right", "third"]);
        verifier.verify_at(&webhooks.headers(name), webhooks.body(), webhooks.time(0)).await.unwrap();
    }
}

#[tokio::test]
async fn failure_of_a_key_is_no_verdict_unless_another_key_matches() {
    let webhooks = Webhooks::new();
    for (name, format) in FORMATS {
        let headers = webhooks.headers(name);
        webhooks.fake.order(1, Fault::Fails(ErrorReason::Internal));
        let verifier = webhooks.verifier(format, &["other", "right"]);
        verifier.verify_at(&headers, webhooks.body(), webhooks.time(0)).await.unwrap();

        webhooks.fake.order(1, Fault::Fails(ErrorReason::Internal));
        let verifier = webhooks.verifier(format, &["right", "other"]);
        let error = verifier.verify_at(&headers, webhooks.body(), webhooks.time(0)).await.unwrap_err();
        assert_eq!("INTERNAL", error.reason());
    }
}

#[tokio::test]
async fn reserved_content_is_wrong() {
    let webhooks = Webhooks::new();
    for (name, format) in FORMATS {
        webhooks.fake.order(1, Fault::Fails(ErrorReason::ReservedMessage));
        let verifier = webhooks.verifier(format, &["right"]);
        let error = verifier.verify_at(&webhooks.headers(name), webhooks.body(), webhooks.time(0)).await.unwrap_err();
        assert!(error.is_invalid_mac(), "{error:?}");
    }
}

/// Tokio advances the paused clock whenever all tasks wait.
#[tokio::test(start_paused = true)]
async fn calls_of_a_verification_share_one_deadline() {
    let webhooks = Webhooks::new();
    webhooks.fake.order(3, Fault::Silent);
    let timeout = Duration::from_secs(2);
    let keys = ["other", "third", "right"].map(|name| webhooks.key(name).with_timeout(timeout));
    let verifier = Verifier::new(Format::GitHub, keys).unwrap();
    let start = tokio::time::Instant::now();
    let error = verifier.verify_at(&webhooks.headers("github"), webhooks.body(), webhooks.time(0)).await.unwrap_err();
    assert_eq!(("DEADLINE_EXCEEDED", 1), (error.reason(), error.attempts()));
    assert!(start.elapsed() < 2 * timeout);
}

#[tokio::test]
async fn keys_and_ids_of_another_form_are_refused() {
    let webhooks = Webhooks::new();
    let key = webhooks.fake.client().key("right", Algorithm::HmacSha512);
    assert!(Verifier::new(Format::GitHub, [key.clone()]).is_err());
    assert!(Verifier::new(Format::GitHub, []).is_err());
    assert_eq!("INVALID_ARGUMENT", sign(Format::GitHub, &key, b"body").await.unwrap_err().reason());
    for id in ["", "a.b", "a\nb", "a b", &"a".repeat(257)] {
        let signed = sign_as(Format::Standard, &webhooks.key("right"), id, webhooks.time(0), b"body").await;
        assert_eq!("INVALID_ARGUMENT", signed.unwrap_err().reason());
    }
    assert_eq!(0, webhooks.fake.calls());
}

/// Moves the first full stop of the signed text: the same signature would fit another webhook.
#[tokio::test]
async fn signature_does_not_fit_another_id() {
    let webhooks = Webhooks::new();
    let now = webhooks.time(0);
    let seconds = now.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let body = format!("{seconds}.x");
    let mut headers = sign_as(Format::Standard, &webhooks.key("right"), "msg_1", now, body.as_bytes()).await.unwrap();
    headers.insert("webhook-id", format!("msg_1.{seconds}").parse().unwrap());
    let error = webhooks.verifier(Format::Standard, &["right"]).verify_at(&headers, b"x", now).await.unwrap_err();
    assert!(error.is_invalid_mac());
}

/// A service that answers with the body of its request.
#[derive(Clone)]
struct Echo;

impl Service<Request<Full<Bytes>>> for Echo {
    type Response = Response<Full<Bytes>>;
    type Error = Infallible;
    type Future = std::future::Ready<Result<Response<Full<Bytes>>, Infallible>>;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Full<Bytes>>) -> Self::Future {
        std::future::ready(Ok(Response::new(request.into_body())))
    }
}

/// A body of many frames, which counts the frames that were read.
struct Frames(usize, Arc<AtomicUsize>);

impl http_body::Body for Frames {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, Infallible>>> {
        if self.0 == 0 {
            return Poll::Ready(None);
        }
        self.0 -= 1;
        self.1.fetch_add(1, Ordering::SeqCst);
        Poll::Ready(Some(Ok(http_body::Frame::data(Bytes::from_static(&[b'x'; 1024])))))
    }
}

#[tokio::test]
async fn layer_reads_no_more_than_the_limit_of_the_client() {
    let webhooks = Webhooks::new();
    for (settings, expected) in [
        (Settings::new([webhooks.fake.target()]), 65),
        (Settings::new([webhooks.fake.target()]).max_message_bytes(2048), 3),
    ] {
        let key = Client::new(settings).unwrap().key("right", Algorithm::HmacSha256);
        let mut service = VerifyLayer::new(Verifier::new(Format::GitHub, [key]).unwrap()).layer(Echo);
        let frames = Arc::new(AtomicUsize::new(0));
        let mut request = Request::new(Frames(1024, frames.clone()));
        *request.headers_mut() = webhooks.headers("github");
        let response = service.call(request).await.unwrap();
        assert_eq!(StatusCode::PAYLOAD_TOO_LARGE, response.status());
        assert_eq!(expected, frames.load(Ordering::SeqCst));
    }
    assert_eq!(0, webhooks.fake.calls());
}

async fn answer(verifier: Verifier, headers: &HeaderMap, body: Vec<u8>) -> (StatusCode, Bytes) {
    let mut service = VerifyLayer::new(verifier).layer(Echo);
    let mut request = Request::new(Full::<Bytes>::from(body));
    *request.headers_mut() = headers.clone();
    let response = service.call(request).await.unwrap();
    let refused = response.status() != StatusCode::OK;
    let has_error = response.extensions().get::<hmacd::Error>().is_some();
    assert!(has_error == refused || response.status() == StatusCode::PAYLOAD_TOO_LARGE);
    (response.status(), response.into_body().collect().await.unwrap().to_bytes())
}

#[tokio::test]
async fn layer_lets_only_right_webhooks_through() {
    let webhooks = Webhooks::new();
    let verifier = webhooks.verifier(Format::GitHub, &["right"]);
    let headers = webhooks.headers("github");
    let body = webhooks.body().to_vec();
    assert_eq!((StatusCode::OK, body.clone().into()), answer(verifier.clone(), &headers, body.clone()).await);
    assert_eq!((StatusCode::UNAUTHORIZED, Bytes::new()), answer(verifier.clone(), &headers, b"{}".to_vec()).await);
    assert_eq!(StatusCode::UNAUTHORIZED, answer(verifier.clone(), &HeaderMap::new(), body.clone()).await.0);
    for length in [65_537, (1 << 20) + 1] {
        assert_eq!(StatusCode::PAYLOAD_TOO_LARGE, answer(verifier.clone(), &headers, vec![0; length]).await.0);
    }
    assert_eq!(StatusCode::BAD_REQUEST, answer(verifier.clone(), &headers, vec![]).await.0);
    webhooks.fake.order(1, Fault::Fails(ErrorReason::ReservedMessage));
    assert_eq!(StatusCode::UNAUTHORIZED, answer(verifier.clone(), &headers, body.clone()).await.0);
    webhooks.fake.order(1, Fault::Fails(ErrorReason::Internal));
    assert_eq!(StatusCode::SERVICE_UNAVAILABLE, answer(verifier, &headers, body).await.0);
}
