//! Connects to hmacd with mutual TLS, and tells why it refused a call.

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

/// Whom to trust and who we are: the files that the file `env` of hmacd dev names.
pub fn tls_from_env() -> Result<ClientTlsConfig, Box<dyn Error>> {
    let identity = Identity::from_pem(file("HMACD_CERT")?, file("HMACD_KEY")?);
    Ok(trust_from_env()?.identity(identity))
}

/// Whom to trust, without saying who we are.
pub fn trust_from_env() -> Result<ClientTlsConfig, Box<dyn Error>> {
    Ok(ClientTlsConfig::new().ca_certificate(Certificate::from_pem(file("HMACD_CA")?)))
}

fn file(variable: &str) -> Result<Vec<u8>, Box<dyn Error>> {
    let path = env::var(variable).map_err(|_| format!("{variable} is not set"))?;
    Ok(fs::read(&path).map_err(|error| format!("{path}: {error}"))?)
}

/// A connection that serves any number of tasks at once: make one, and clone it. It connects at the first call.
pub fn connect(target: &str, tls: ClientTlsConfig, timeout: Duration) -> Result<Hmacd, Box<dyn Error>> {
    let channel = Endpoint::from_shared(format!("https://{target}"))?.tls_config(tls)?.connect_lazy();
    Ok(Hmacd { channel, timeout })
}

/// A connection whose calls all have the same deadline. hmacd is told of it, and it holds also while connecting, which
/// tonic's own `Endpoint::timeout` does not.
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
                // Also when tonic's own timer was first, which says CANCELLED.
                _ => Err(Status::deadline_exceeded("no answer in time")),
            }
        })
    }
}

/// A connection that could not be made or broke is UNAVAILABLE in every language; tonic says UNKNOWN to some.
fn unavailable(error: tonic::transport::Error) -> Status {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    Status::unavailable(text)
}

/// Why hmacd refused the call, as a name from `error_reason.proto`; none when the error is not hmacd's, for example when
/// no connection was made.
pub fn reason(status: &Status) -> Option<String> {
    let info = status.get_details_error_info()?;
    (info.domain == "hmacd.dev").then_some(info.reason)
}
