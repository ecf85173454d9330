//! Tests of the requests on the wire, with a server of HTTP/2 that belongs to the test.

use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use hmacd::v1::{CreateKeyRequest, KeySpec};
use hmacd::{Client, Error, Settings};
use http::{HeaderMap, Request, Response};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tempfile::TempDir;
use tokio::net::UnixListener;
use tokio::sync::mpsc;

const TIMEOUT: Duration = Duration::from_secs(60);

/// What the server saw.
#[derive(Debug)]
enum Seen {
    Request(String, HeaderMap),
    /// The client cancelled a request.
    Cancelled,
}

/// Reports its drop.
struct Guard(mpsc::UnboundedSender<Seen>);

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.0.send(Seen::Cancelled);
    }
}

struct Server {
    folder: TempDir,
    seen: mpsc::UnboundedReceiver<Seen>,
}

impl Server {
    /// Starts a server that answers each request with the headers of `answer`, or not at all.
    fn start(answer: Option<&'static [(&'static str, &'static str)]>) -> Server {
        Server::start_in(tempfile::tempdir().unwrap(), answer)
    }

    fn start_in(folder: TempDir, answer: Option<&'static [(&'static str, &'static str)]>) -> Server {
        let listener = UnixListener::bind(folder.path().join("socket")).unwrap();
        let (sender, seen) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let sender = sender.clone();
                let service = service_fn(move |request| serve(request, answer, sender.clone()));
                let builder = http2::Builder::new(TokioExecutor::new());
                tokio::spawn(builder.serve_connection(TokioIo::new(stream), service));
            }
        });
        Server { folder, seen }
    }

    fn client(&self) -> Client {
        client_of(&self.folder)
    }
}

fn client_of(folder: &TempDir) -> Client {
    let target = format!("unix:{}/socket", folder.path().display());
    Client::new(Settings::new([target]).timeout(TIMEOUT)).unwrap()
}

async fn serve(
    request: Request<Incoming>,
    answer: Option<&'static [(&'static str, &'static str)]>,
    seen: mpsc::UnboundedSender<Seen>,
) -> Result<Response<Empty<Bytes>>, Infallible> {
    let _ = seen.send(Seen::Request(request.uri().path().to_owned(), request.headers().clone()));
    let Some(answer) = answer else {
        let _guard = Guard(seen);
        pending().await
    };
    let mut response = Response::new(Empty::new());
    response.headers_mut().insert("content-type", "application/grpc".parse().unwrap());
    for (name, value) in answer {
        response.headers_mut().insert(*name, value.parse().unwrap());
    }
    Ok(response)
}

async fn change(client: &Client) -> Error {
    let request = CreateKeyRequest { key_spec: KeySpec::Hmac256.into(), ..Default::default() };
    client.call(request).await.unwrap_err()
}

#[tokio::test]
async fn request_has_the_deadline_and_the_user_agent() {
    let mut server = Server::start(Some(&[("grpc-status", "5")]));
    server.client().describe_key("alias/orders").await.unwrap_err();
    let Some(Seen::Request(path, headers)) = server.seen.recv().await else { panic!("no request") };
    assert_eq!("/hmacd.v1.KeyService/DescribeKey", path);
    assert_eq!(concat!("hmacd-rust/", env!("CARGO_PKG_VERSION")), headers["user-agent"]);
    assert_eq!("trailers", headers["te"]);
    let timeout = headers["grpc-timeout"].to_str().unwrap();
    let (digits, unit) = timeout.split_at(timeout.len() - 1);
    let nanos = match unit {
        "n" => 1,
        "u" => 1000,
        "m" => 1_000_000,
        _ => 1_000_000_000,
    };
    let timeout = Duration::from_nanos(digits.parse::<u64>().unwrap() * nanos);
    assert!(timeout > Duration::ZERO && timeout <= TIMEOUT, "{timeout:?}");
}

#[tokio::test]
async fn dropped_call_is_cancelled_on_the_wire() {
    let mut server = Server::start(None);
    let client = server.client();
    let call = tokio::spawn(async move { client.describe_key("alias/orders").await });
    assert!(matches!(server.seen.recv().await, Some(Seen::Request(..))));
    call.abort();
    assert!(matches!(server.seen.recv().await, Some(Seen::Cancelled)));
}

#[tokio::test]
async fn call_waits_for_the_start_of_the_daemon() {
    let folder = tempfile::tempdir().unwrap();
    let client = client_of(&folder);
    let early = client.with_timeout(Duration::from_millis(50)).describe_key("alias/orders").await.unwrap_err();
    assert!(!early.may_have_run());
    let (error, _server) = tokio::join!(client.describe_key("alias/orders"), async {
        tokio::task::yield_now().await;
        Server::start_in(folder, Some(&[("grpc-status", "13")]))
    });
    assert_eq!("INTERNAL", error.unwrap_err().reason());
}

#[tokio::test]
async fn change_is_attempted_once() {
    for (answer, reason) in [
        (&[("grpc-status", "14")], "CONNECTION_FAILED"),
        (&[("grpc-status", "16")], "UNAUTHENTICATED"),
        (&[("grpc-status", "13")], "INTERNAL"),
    ] {
        let error = change(&Server::start(Some(answer)).client()).await;
        assert_eq!((reason, 1, true), (error.reason(), error.attempts(), error.may_have_run()));
    }
}

#[tokio::test]
async fn answer_of_a_proxy_is_no_verdict() {
    let server = Server::start(Some(&[("grpc-status", "3"), ("grpc-message", "KMS_INVALID_MAC")]));
    let key = server.client().key("alias/orders", hmacd::Algorithm::HmacSha256);
    let error = key.verify("hello", [0; 32]).await.unwrap_err();
    assert_eq!((false, "INVALID_ARGUMENT"), (error.is_invalid_mac(), error.reason()));
    // An answer without a status and a message is not "verified".
    let server = Server::start(Some(&[]));
    let key = server.client().key("alias/orders", hmacd::Algorithm::HmacSha256);
    key.verify("hello", [0; 32]).await.unwrap_err();
    let server = Server::start(Some(&[("grpc-status", "0")]));
    let key = server.client().key("alias/orders", hmacd::Algorithm::HmacSha256);
    key.verify("hello", [0; 32]).await.unwrap_err();
}

/// Starts a server that resets its second request with a code, and answers the others with INTERNAL.
fn start_resetting(code: h2::Reason) -> (TempDir, Arc<AtomicUsize>) {
    let folder = tempfile::tempdir().unwrap();
    let listener = UnixListener::bind(folder.path().join("socket")).unwrap();
    let requests = Arc::new(AtomicUsize::new(0));
    let count = requests.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let count = count.clone();
            tokio::spawn(async move {
                let mut connection = h2::server::handshake(stream).await.unwrap();
                while let Some(Ok((_, mut respond))) = connection.accept().await {
                    if count.fetch_add(1, Ordering::SeqCst) == 1 {
                        respond.send_reset(code);
                        continue;
                    }
                    let response = Response::builder().header("content-type", "application/grpc");
                    let response = response.header("grpc-status", "13").body(()).unwrap();
                    respond.send_response(response, true).unwrap();
                }
            });
        }
    });
    (folder, requests)
}

#[tokio::test]
async fn change_that_was_not_processed_is_sent_again() {
    let (folder, requests) = start_resetting(h2::Reason::REFUSED_STREAM);
    let client = client_of(&folder);
    for expected in [1, 3] {
        let error = change(&client).await;
        assert_eq!(("INTERNAL", 1), (error.reason(), error.attempts()));
        assert_eq!(expected, requests.load(Ordering::SeqCst));
    }
}

#[tokio::test]
async fn change_that_may_have_run_is_not_sent_again() {
    let (folder, requests) = start_resetting(h2::Reason::INTERNAL_ERROR);
    let client = client_of(&folder);
    change(&client).await;
    let error = change(&client).await;
    assert_eq!(("CONNECTION_FAILED", 1, true), (error.reason(), error.attempts(), error.may_have_run()));
    assert_eq!(2, requests.load(Ordering::SeqCst));
}
