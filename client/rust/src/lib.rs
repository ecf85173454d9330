//! Client of hmacd: HMACs under keys in an HSM.
//!
//! ```no_run
//! # async fn example(message: &[u8], mac: &[u8]) -> Result<(), hmacd::Error> {
//! use hmacd::{Algorithm, Client, Error, Settings};
//!
//! let client = Client::new(Settings::from_env()?)?;
//! let key = client.key("alias/orders", Algorithm::HmacSha256);
//! match key.verify(message, mac).await {
//!     Ok(()) => {}                                // The MAC is right.
//!     Err(error) if error.is_invalid_mac() => {}  // The MAC is wrong.
//!     Err(error) => return Err(error),            // No verdict.
//! }
//! # Ok(())
//! # }
//! ```
//!
//! All futures need a runtime of tokio with I/O and time. The drop of a future cancels its call.
//! `client/BEHAVIOR.md` of hmacd's repository has the rules for retries, deadlines and errors.

mod addresses;
mod algorithm;
mod authorities;
mod call;
mod channel;
mod checksum;
mod client;
mod connect;
mod connection;
mod connections;
mod credentials;
mod der;
mod doctor;
mod error;
mod failure;
mod gate;
mod key;
mod picker;
mod renewal;
mod request;
mod retry;
mod settings;
mod target;

#[cfg(feature = "jwt")]
pub mod jwt;
#[cfg(feature = "otel")]
mod telemetry;
#[cfg(feature = "testing")]
pub mod testing;
#[cfg(feature = "webhooks")]
pub mod webhooks;

/// The messages of the contract, `proto/hmacd/v1`.
#[allow(missing_docs, clippy::doc_markdown, rustdoc::all)]
pub mod v1 {
    include!("generated/hmacd.v1.rs");
}

pub use algorithm::Algorithm;
pub use client::Client;
pub use error::{Error, ErrorKind, TlsFailure};
pub use key::Key;
pub use request::Request;
pub use settings::Settings;
pub use target::Target;
