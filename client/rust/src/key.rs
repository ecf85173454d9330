use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::algorithm::Algorithm;
use crate::client::Client;
use crate::error::Error;
use crate::v1::{GenerateMacRequest, MacAlgorithm, VerifyMacRequest};

/// A key in the HSM, with its algorithm and its client. Clones share the ARN.
#[derive(Clone)]
pub struct Key {
    client: Client,
    name: String,
    algorithm: Algorithm,
    arn: Arc<Mutex<Option<String>>>,
}

impl Key {
    pub(crate) fn new(client: Client, name: String, algorithm: Algorithm, arn: Option<String>) -> Key {
        Key { client, name, algorithm, arn: Arc::new(Mutex::new(arn)) }
    }

    /// Computes the MAC of a message. A text is encoded as UTF-8.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT` for an empty message. `MESSAGE_TOO_LONG`. Any error of the daemon.
    pub async fn generate(&self, message: impl AsRef<[u8]>) -> Result<Vec<u8>, Error> {
        let request = GenerateMacRequest {
            key_id: self.name.clone(),
            message: message.as_ref().to_vec(),
            mac_algorithm: MacAlgorithm::from(self.algorithm).into(),
            ..Default::default()
        };
        let response = self.client.call(request).await?;
        self.set_arn(response.key_id);
        Ok(response.mac)
    }

    /// Verifies the MAC of a message. Returns only if the MAC is right.
    ///
    /// # Errors
    /// If [`Error::is_invalid_mac`], the MAC is wrong. Any other error is no verdict.
    pub async fn verify(&self, message: impl AsRef<[u8]>, mac: impl AsRef<[u8]>) -> Result<(), Error> {
        let request = VerifyMacRequest {
            key_id: self.name.clone(),
            message: message.as_ref().to_vec(),
            mac: mac.as_ref().to_vec(),
            mac_algorithm: MacAlgorithm::from(self.algorithm).into(),
            ..Default::default()
        };
        let response = self.client.call(request).await?;
        self.set_arn(response.key_id);
        Ok(())
    }

    /// The name: key id, key ARN, alias name or alias ARN.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The algorithm of the key.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The ARN of the key in the last answer. `None` before the first answer.
    pub fn arn(&self) -> Option<String> {
        self.arn.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The key with a timeout for its calls: see [`Client::with_timeout`].
    pub fn with_timeout(&self, timeout: Duration) -> Key {
        Key { client: self.client.with_timeout(timeout), ..self.clone() }
    }

    /// The key with a deadline for its calls: see [`Client::with_deadline`].
    pub fn with_deadline(&self, deadline: Instant) -> Key {
        Key { client: self.client.with_deadline(deadline), ..self.clone() }
    }

    /// The maximum length of a message of the client.
    #[cfg(feature = "webhooks")]
    pub(crate) fn max_message_bytes(&self) -> usize {
        self.client.max_message_bytes()
    }

    /// The key with one deadline for all its calls: see [`Client::with_start`].
    #[cfg(feature = "webhooks")]
    pub(crate) fn with_start(&self, start: Instant) -> Key {
        Key { client: self.client.with_start(start), ..self.clone() }
    }

    fn set_arn(&self, arn: String) {
        *self.arn.lock().unwrap_or_else(PoisonError::into_inner) = Some(arn);
    }
}
