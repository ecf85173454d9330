//! Checks a target, from the name to the health of the daemon. Makes no MAC.

use std::sync::Arc;
use std::time::Duration;

use http::uri::PathAndQuery;
use rustls::ClientConfig;
use tokio::time::timeout;
use tonic::client::Grpc;
use tonic_prost::ProstCodec;

use crate::channel::Channel;
use crate::connect::{ConnectError, Peer, connect, look_up};
use crate::connection::Connection;
use crate::failure::{Failure, Sizes};
use crate::target::Target;

/// The limit of the check of one address.
const LIMIT: Duration = Duration::from_secs(5);

/// The request of `grpc.health.v1.Health/Check`. An empty name is the whole daemon.
#[derive(Clone, PartialEq, prost::Message)]
struct HealthCheckRequest {
    #[prost(string, tag = "1")]
    service: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct HealthCheckResponse {
    #[prost(enumeration = "ServingStatus", tag = "1")]
    status: i32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, prost::Enumeration)]
#[repr(i32)]
enum ServingStatus {
    Unknown = 0,
    Serving = 1,
    NotServing = 2,
    ServiceUnknown = 3,
}

/// Checks a target over new connections. Returns one line.
pub(crate) async fn examine(target: Target, tls: Option<Arc<ClientConfig>>) -> String {
    match examine_addresses(&target, tls).await {
        Ok(facts) => format!("ok: {target}, {facts}"),
        Err(check) => format!("failed: {target}, {check}"),
    }
}

/// Returns facts of the first healthy address, or the first check that failed at the last address.
async fn examine_addresses(target: &Target, tls: Option<Arc<ClientConfig>>) -> Result<String, String> {
    let peers = timeout(LIMIT, look_up(target)).await.unwrap_or(Err(ConnectError::NameNotFound));
    let peers = peers.map_err(|error| error.to_string())?;
    let mut failure = String::new();
    for peer in &peers {
        let checked = timeout(LIMIT, examine_address(target, peer, tls.clone())).await;
        match checked.unwrap_or_else(|_| Err("no answer in time".to_owned())) {
            Ok(()) if target.uses_tls() => return Ok(format!("SERVING over mutual TLS, {} addresses", peers.len())),
            Ok(()) => return Ok("SERVING over a Unix socket".to_owned()),
            Err(check) => failure = check,
        }
    }
    Err(failure)
}

async fn examine_address(target: &Target, peer: &Peer, tls: Option<Arc<ClientConfig>>) -> Result<(), String> {
    let stream = connect(target, peer, tls.clone()).await.map_err(|error| error.to_string())?;
    let connection = Connection::start(stream).await.map_err(|error| error.to_string())?;
    let origin = Channel::new(target.clone(), tls).origin;
    let codec = ProstCodec::<HealthCheckRequest, HealthCheckResponse>::default();
    let answer = Grpc::with_origin(connection, origin)
        .unary(
            tonic::Request::new(HealthCheckRequest::default()),
            PathAndQuery::from_static("/grpc.health.v1.Health/Check"),
            codec,
        )
        .await;
    match answer.map(|response| response.get_ref().status()) {
        Ok(ServingStatus::Serving) => Ok(()),
        Ok(_) => Err("health status: NOT_SERVING".to_owned()),
        Err(status) => Err(format!("health status: {}", Failure::of(&status, Sizes::default()).reason)),
    }
}
