//! Connects to hmacd with mutual TLS, and reads the reasons of errors.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use std::{env, error::Error, fs};

use tonic::Status;
use tonic::body::Body;
use tonic::codegen::{Service, http};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic_types::StatusExt;

/// The contract, `proto/hmacd/v1`.
pub mod v1 {
    tonic::include_proto!("hmacd.v1");
}

/// Reads the authorities, the client's certificate and its key from the files in the environment of
/// hmacd dev.
pub fn tls_from_env() -> Result<ClientTlsConfig, Box<dyn Error>> {
    let identity = Identity::from_pem(file("HMACD_CERT")?, file("HMACD_KEY")?);
    Ok(trust_from_env()?.identity(identity))
}

/// Reads the authorities only. The client has no certificate.
pub fn trust_from_env() -> Result<ClientTlsConfig, Box<dyn Error>> {
    Ok(ClientTlsConfig::new().ca_certificate(Certificate::from_pem(file("HMACD_CA")?)))
}

fn file(variable: &str) -> Result<Vec<u8>, Box<dyn Error>> {
    let path = env::var(variable).map_err(|_| format!("{variable} is not set"))?;
    Ok(fs::read(&path).map_err(|error| format!("{path}: {error}"))?)
}

/// Makes a connection, which connects at the first call. Create one, and clone it for other tasks.
pub fn connect(target: &str, tls: ClientTlsConfig, timeout: Duration) -> Result<Hmacd, Box<dyn Error>> {
    let channel = Endpoint::from_shared(format!("https://{target}"))?.tls_config(tls)?.connect_lazy();
    Ok(Hmacd { channel, timeout })
}

/// A connection with one deadline for each call. The client sends the deadline to hmacd. Unlike
/// tonic's `Endpoint::timeout`, it also applies while the client connects.
#[derive(Clone)]
pub struct Hmacd {
    channel: Channel,
    timeout: Duration,
}

impl Service<http::Request<Body>> for Hmacd {
    type Response = http::Response<Body>;
    type Error = Status;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Status>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Status>> {
        self.channel.poll_ready(context).map_err(unavailable)
    }

    fn call(&mut self, mut request: http::Request<Body>) -> Self::Future {
        let (start, timeout) = (Instant::now(), self.timeout);
        let millis = http::HeaderValue::try_from(format!("{}m", timeout.as_millis()));
        request.headers_mut().insert("grpc-timeout", millis.expect("digits and a letter"));
        let answer = tokio::time::timeout(timeout, self.channel.call(request));
        Box::pin(async move {
            match answer.await {
                Ok(Ok(answer)) => Ok(answer),
                Ok(Err(error)) if start.elapsed() < timeout => Err(unavailable(error)),
                // Also if tonic's own timer fires first, with CANCELLED.
                _ => Err(Status::deadline_exceeded("no answer in time")),
            }
        })
    }
}

/// Converts the error of a failed or broken connection to UNAVAILABLE, as in other languages. tonic
/// has UNKNOWN for some of these errors.
fn unavailable(error: tonic::transport::Error) -> Status {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    Status::unavailable(text)
}

/// Returns the reason of an error, a name in `error_reason.proto`. None if the error is not from
/// hmacd, for example if the connection failed.
pub fn reason(status: &Status) -> Option<String> {
    let info = status.get_details_error_info()?;
    (info.domain == "hmacd.dev").then_some(info.reason)
}
