//! A fake of the daemon in the process of a test.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use hmacd::Algorithm;
//! use hmacd::testing::{Fake, Fault};
//! use hmacd::v1::ErrorReason;
//!
//! let fake = Fake::start([("alias/orders", Algorithm::HmacSha256, b"secret".as_slice())])?;
//! let key = fake.client().key("alias/orders", Algorithm::HmacSha256);
//! fake.order(1, Fault::Fails(ErrorReason::TokenBusy));
//! let mac = key.generate("hello").await?; // The second attempt succeeds.
//! key.verify("hello", mac).await?;
//! assert_eq!(3, fake.calls());
//! # Ok(())
//! # }
//! ```

use std::collections::{HashMap, VecDeque};
use std::convert::Infallible;
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use std::{env, fs, io, process};

use hmac::{Hmac, KeyInit, Mac};
use hyper::server::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use sha2::{Sha224, Sha256, Sha384, Sha512};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tonic::codegen::Service;
use tonic::{Code, Request, Response, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::algorithm::Algorithm;
use crate::checksum::crc32c;
use crate::client::Client;
use crate::settings::Settings;
use crate::v1::mac_service_server::{MacService, MacServiceServer};
use crate::v1::{
    ErrorReason, GenerateMacRequest, GenerateMacResponse, MacAlgorithm, VerifyMacRequest, VerifyMacResponse,
};

/// The daemon's default of `grpc.limits.max_message_bytes`.
const MAX_MESSAGE_BYTES: usize = 65_536;

/// A server of MacService on a Unix socket, with real MACs under the keys of the test.
///
/// The drop of the fake ends it: later attempts get no connection. It needs the runtime of the test.
pub struct Fake {
    daemon: Arc<Daemon>,
    folder: PathBuf,
    go_away: watch::Sender<()>,
    server: JoinHandle<()>,
}

/// A fault of one attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// The attempt gets an error with this reason.
    Fails(ErrorReason),
    /// The attempt gets the right answer after this time.
    Late(Duration),
    /// The attempt gets an answer with a damaged CRC32C.
    Damaged,
    /// The attempt gets no answer.
    Silent,
}

struct Daemon {
    keys: HashMap<String, (Algorithm, Vec<u8>)>,
    faults: Mutex<VecDeque<Fault>>,
    calls: AtomicUsize,
}

impl Fake {
    /// Starts a fake with keys: name, algorithm, secret.
    ///
    /// # Errors
    /// The error of the system, if it cannot create the socket in the folder of temporary files.
    pub fn start<'a>(keys: impl IntoIterator<Item = (&'a str, Algorithm, &'a [u8])>) -> io::Result<Fake> {
        let keys = keys.into_iter().map(|(name, algorithm, secret)| (name.to_owned(), (algorithm, secret.to_vec())));
        let daemon = Arc::new(Daemon { keys: keys.collect(), faults: Mutex::default(), calls: AtomicUsize::new(0) });
        let folder = new_folder()?;
        let listener = UnixListener::bind(folder.join("socket"))?;
        let (go_away, signal) = watch::channel(());
        let server = tokio::spawn(serve(listener, daemon.clone(), signal));
        Ok(Fake { daemon, folder, go_away, server })
    }

    /// The target of the fake, for [`Settings`].
    pub fn target(&self) -> String {
        format!("unix:{}/socket", self.folder.display())
    }

    /// A client of the fake with default settings.
    pub fn client(&self) -> Client {
        Client::new(Settings::new([self.target()])).expect("the settings of the fake are valid")
    }

    /// Orders a fault for the next `calls` attempts that have no fault yet.
    pub fn order(&self, calls: usize, fault: Fault) {
        self.daemon.faults().extend(std::iter::repeat_n(fault, calls));
    }

    /// The number of attempts that arrived.
    pub fn calls(&self) -> usize {
        self.daemon.calls.load(Ordering::SeqCst)
    }

    /// Sends GOAWAY on each connection, as hmacd does after `connection_age`. Calls in flight continue.
    pub fn go_away(&self) {
        self.go_away.send_replace(());
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.server.abort();
        // The system removes temporary files later, if this fails.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A new folder that only this user can enter.
fn new_folder() -> io::Result<PathBuf> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let name = format!("hmacd-fake-{}-{}", process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let folder = env::temp_dir().join(name);
    DirBuilder::new().mode(0o700).create(&folder)?;
    Ok(folder)
}

/// Serves each connection, until the task is aborted.
async fn serve(listener: UnixListener, daemon: Arc<Daemon>, go_away: watch::Receiver<()>) {
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(serve_connection(stream, daemon.clone(), go_away.clone()));
    }
}

async fn serve_connection(stream: UnixStream, daemon: Arc<Daemon>, mut go_away: watch::Receiver<()>) {
    go_away.mark_unchanged();
    let service = MacServiceServer::from_arc(daemon);
    let service = hyper::service::service_fn(move |request| {
        let mut service = service.clone();
        async move { service.call(request).await.map_err(|never: Infallible| never) }
    });
    let connection = http2::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    // An error of the connection is the end of the client.
    tokio::select! {
        _ = &mut connection => return,
        _ = go_away.changed() => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

impl Daemon {
    fn faults(&self) -> std::sync::MutexGuard<'_, VecDeque<Fault>> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a call. Returns whether its answer is damaged.
    async fn begin(&self) -> Result<bool, Status> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let fault = self.faults().pop_front();
        match fault {
            Some(Fault::Fails(reason)) => return Err(refuse(reason)),
            Some(Fault::Late(delay)) => tokio::time::sleep(delay).await,
            Some(Fault::Silent) => std::future::pending().await,
            Some(Fault::Damaged) | None => {}
        }
        Ok(fault == Some(Fault::Damaged))
    }

    /// Computes a MAC, after the checks of the daemon.
    fn mac(&self, key_id: &str, algorithm: MacAlgorithm, message: &[u8], crc: Option<u32>) -> Result<Vec<u8>, Status> {
        if message.is_empty() {
            return Err(refuse(ErrorReason::InvalidField));
        }
        if message.len() > MAX_MESSAGE_BYTES {
            let sizes = [("maximum", MAX_MESSAGE_BYTES), ("given", message.len())];
            return Err(refuse_with(ErrorReason::MessageTooLong, sizes));
        }
        if crc.is_some_and(|crc| crc != crc32c(message)) {
            return Err(refuse(ErrorReason::ChecksumMismatch));
        }
        let (expected, secret) = self.keys.get(key_id).ok_or_else(|| refuse(ErrorReason::KeyNotFound))?;
        if MacAlgorithm::from(*expected) != algorithm {
            return Err(refuse(ErrorReason::InvalidKeyUsage));
        }
        Ok(match expected {
            Algorithm::HmacSha224 => hmac::<Hmac<Sha224>>(secret, message),
            Algorithm::HmacSha256 => hmac::<Hmac<Sha256>>(secret, message),
            Algorithm::HmacSha384 => hmac::<Hmac<Sha384>>(secret, message),
            Algorithm::HmacSha512 => hmac::<Hmac<Sha512>>(secret, message),
        })
    }
}

fn hmac<M: Mac + KeyInit>(secret: &[u8], message: &[u8]) -> Vec<u8> {
    let mac = <M as KeyInit>::new_from_slice(secret).expect("HMAC takes keys of any length");
    mac.chain_update(message).finalize().into_bytes().to_vec()
}

fn arn(key_id: &str) -> String {
    format!("arn:aws:kms:fake:000000000000:{key_id}")
}

#[tonic::async_trait]
impl MacService for Daemon {
    async fn generate_mac(
        &self,
        request: Request<GenerateMacRequest>,
    ) -> Result<Response<GenerateMacResponse>, Status> {
        let damaged = self.begin().await?;
        let request = request.into_inner();
        let mac = self.mac(&request.key_id, request.mac_algorithm(), &request.message, request.message_crc32c)?;
        Ok(Response::new(GenerateMacResponse {
            key_id: arn(&request.key_id),
            mac_crc32c: crc32c(&mac) ^ u32::from(damaged),
            mac,
            mac_algorithm: request.mac_algorithm,
            key_version: 1,
            verified_message_crc32c: request.message_crc32c.is_some(),
        }))
    }

    async fn verify_mac(&self, request: Request<VerifyMacRequest>) -> Result<Response<VerifyMacResponse>, Status> {
        let damaged = self.begin().await?;
        let request = request.into_inner();
        let mac = self.mac(&request.key_id, request.mac_algorithm(), &request.message, request.message_crc32c)?;
        if request.mac_crc32c.is_some_and(|crc| crc != crc32c(&request.mac)) {
            return Err(refuse(ErrorReason::ChecksumMismatch));
        }
        if mac != request.mac {
            return Err(refuse(ErrorReason::KmsInvalidMac));
        }
        Ok(Response::new(VerifyMacResponse {
            key_id: arn(&request.key_id),
            mac_valid: true,
            mac_algorithm: request.mac_algorithm,
            key_version: 1,
            verified_message_crc32c: request.message_crc32c.is_some(),
            verified_mac_crc32c: request.mac_crc32c.is_some() && !damaged,
        }))
    }
}

/// The error of the daemon with a reason.
fn refuse(reason: ErrorReason) -> Status {
    refuse_with(reason, [])
}

fn refuse_with<const N: usize>(reason: ErrorReason, sizes: [(&str, usize); N]) -> Status {
    let code = match reason {
        ErrorReason::Unauthenticated => Code::Unauthenticated,
        ErrorReason::AccessDenied => Code::PermissionDenied,
        ErrorReason::KeyNotFound => Code::NotFound,
        ErrorReason::KeyNotUsable => Code::FailedPrecondition,
        ErrorReason::TokenBusy | ErrorReason::RegistryBusy | ErrorReason::MemoryBusy | ErrorReason::RequestTooLong => {
            Code::ResourceExhausted
        }
        ErrorReason::DeadlineExceeded => Code::DeadlineExceeded,
        ErrorReason::TokenUnavailable
        | ErrorReason::KeyUnavailable
        | ErrorReason::RegistryUnavailable
        | ErrorReason::Stopping => Code::Unavailable,
        ErrorReason::Internal => Code::Internal,
        _ => Code::InvalidArgument,
    };
    let name = reason.as_str_name().trim_start_matches("ERROR_REASON_");
    let metadata = sizes.map(|(name, size)| (name.to_owned(), size.to_string()));
    let details = ErrorDetails::with_error_info(name, "hmacd.dev", metadata);
    let mut status = Status::with_error_details(code, "ordered by the test", details);
    let id = "00000000-0000-4000-8000-000000000000".parse().expect("a UUID is ASCII");
    status.metadata_mut().insert("x-request-id", id);
    status
}
