use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use crate::algorithm::Algorithm;
use crate::call::{Answer, Call, Shared};
use crate::connections::Connections;
use crate::credentials::Files;
use crate::doctor::examine;
use crate::error::Error;
use crate::gate::Gate;
use crate::key::Key;
use crate::picker::Picker;
use crate::request::Request;
use crate::retry::Budget;
use crate::settings::Settings;
use crate::v1::{DescribeKeyRequest, GenerateRandomRequest, KeyMetadata};

/// The longest wait of [`Client::doctor`] for a read of the files.
const READ_TIMEOUT: Duration = Duration::from_secs(5);

/// The longest wait of [`Client::close`] for calls in flight.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// A client of one or more daemons.
///
/// Create one for a process, and clone it: clones share connections. All threads, and several runtimes,
/// can use a client. After `fork`, the child process cannot use it: create another client there.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
    deadline: Option<Instant>,
    timeout: Duration,
}

struct Inner {
    shared: Shared,
    gate: Gate,
    max_message_bytes: usize,
    file_interval: Duration,
    /// The task that watches the files, on the runtime of a call.
    watcher: Mutex<Option<JoinHandle<()>>>,
    process: u32,
    #[cfg(feature = "otel")]
    instruments: crate::telemetry::Instruments,
}

impl Client {
    /// Checks the settings, and reads and checks the PEM files. Does not connect.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT`, with the name and the value of a setting.
    pub fn new(settings: Settings) -> Result<Client, Error> {
        let targets = settings.check()?;
        let files = Files::of(&settings, targets.iter().any(|target| target.uses_tls()))?;
        let picker = Picker::new(targets.len());
        let shared = Shared {
            connections: Connections::open(targets, files)?,
            picker: Mutex::new(picker),
            budget: Mutex::new(Budget::new()),
            attempt_timeout: settings.attempt_timeout,
        };
        let inner = Inner {
            shared,
            gate: Gate::new(),
            max_message_bytes: settings.max_message_bytes,
            file_interval: settings.file_interval,
            watcher: Mutex::new(None),
            process: std::process::id(),
            #[cfg(feature = "otel")]
            instruments: crate::telemetry::Instruments::new(&settings.telemetry),
        };
        Ok(Client { inner: Arc::new(inner), deadline: None, timeout: settings.timeout })
    }

    /// A client whose calls end after `timeout`, if this is earlier than the timeout of this client.
    pub fn with_timeout(&self, timeout: Duration) -> Client {
        Client { timeout: self.timeout.min(timeout), ..self.clone() }
    }

    /// A client whose calls end at `deadline`, or after their timeout if this is earlier.
    pub fn with_deadline(&self, deadline: Instant) -> Client {
        let deadline = self.deadline.map_or(deadline, |earlier| earlier.min(deadline));
        Client { deadline: Some(deadline), ..self.clone() }
    }

    #[cfg(feature = "webhooks")]
    pub(crate) fn max_message_bytes(&self) -> usize {
        self.inner.max_message_bytes
    }

    /// A client whose calls all end after its timeout from `start`, or at its deadline if this is earlier.
    #[cfg(feature = "webhooks")]
    pub(crate) fn with_start(&self, start: Instant) -> Client {
        self.with_deadline(start + self.timeout)
    }

    /// Binds a name (key id, key ARN, alias name or alias ARN) to an algorithm. Makes no call.
    pub fn key(&self, name: impl Into<String>, algorithm: Algorithm) -> Key {
        Key::new(self.clone(), name.into(), algorithm, None)
    }

    /// Gets the algorithm and the ARN of a key from the daemon (DescribeKey).
    ///
    /// # Errors
    /// Those of [`describe_key`](Client::describe_key).
    pub async fn open_key(&self, name: impl Into<String>) -> Result<Key, Error> {
        let name = name.into();
        let metadata = self.describe_key(&name).await?;
        let algorithm = metadata.mac_algorithms().find_map(Algorithm::of);
        let algorithm = algorithm.ok_or_else(|| Error::invalid("the key has no algorithm that this client knows"))?;
        Ok(Key::new(self.clone(), name, algorithm, Some(metadata.key_arn)))
    }

    /// Returns the metadata of a key (id, ARN or alias).
    ///
    /// # Errors
    /// For example `KEY_NOT_FOUND` or `ACCESS_DENIED`.
    pub async fn describe_key(&self, name: &str) -> Result<KeyMetadata, Error> {
        let request = DescribeKeyRequest { key_id: name.to_owned(), ..Default::default() };
        self.call(request).await.map(|response| response.key_metadata.unwrap_or_default())
    }

    /// Generates random bytes in the HSM: 1 to 1024.
    ///
    /// # Errors
    /// For example `INVALID_FIELD` or `TOKEN_UNAVAILABLE`.
    pub async fn generate_random(&self, bytes: u16) -> Result<Vec<u8>, Error> {
        let request = GenerateRandomRequest { number_of_bytes: bytes.into() };
        self.call(request).await.map(|response| response.plaintext)
    }

    /// Makes a call of the contract. [`Key`] is simpler for MACs.
    ///
    /// The client retries MAC operations, GenerateRandom and reads after some failures. A change has one
    /// attempt. The drop of the future cancels the call.
    ///
    /// # Errors
    /// `CLOSED` after [`close`](Client::close) or in a child process. Any error of the daemon.
    pub async fn call<R: Request>(&self, request: R) -> Result<R::Response, Error> {
        #[cfg(feature = "otel")]
        let recording = self.inner.instruments.start(R::PATH);
        let result = self.send(request).await;
        #[cfg(feature = "otel")]
        match &result {
            Ok(answer) => recording.end(&answer.target, answer.attempts, None),
            Err(error) => recording.end(error.target(), error.attempts(), Some(error)),
        }
        result.map(|answer| answer.response)
    }

    async fn send<R: Request>(&self, mut request: R) -> Result<Answer<R::Response>, Error> {
        if self.inner.process != std::process::id() {
            return Err(Error::closed("the client is of another process: create it after fork"));
        }
        request.prepare(self.inner.max_message_bytes)?;
        let pass = self.inner.gate.enter()?;
        self.watch_files();
        let deadline = Instant::now() + self.timeout;
        let deadline = self.deadline.map_or(deadline, |earlier| earlier.min(deadline));
        Call { shared: &self.inner.shared, pass, deadline }.run(&request).await
    }

    /// Refuses new calls with `CLOSED`, waits up to 5 s for the calls in flight, and cancels the others.
    /// Idempotent. Applies to all clones.
    pub async fn close(&self) {
        self.inner.gate.close(CLOSE_TIMEOUT).await;
        if let Some(watcher) = self.watcher().take() {
            watcher.abort();
        }
        self.inner.shared.connections.disconnect();
    }

    /// Checks the files and each target over new connections. Returns one line for each target:
    /// `ok: <target>, <facts>`, or `failed: <target>, <first check that failed>`. Makes no MAC. Takes up
    /// to 5 s for the files, and up to 10 s for each address.
    pub async fn doctor(&self) -> Vec<String> {
        let connections = &self.inner.shared.connections;
        let files = timeout(READ_TIMEOUT, connections.check_files()).await;
        let files = files.unwrap_or_else(|_| Err(Error::invalid("the read of the files has not ended")));
        let mut lines = Vec::new();
        for target in connections.targets() {
            lines.push(match &files {
                Err(error) if target.uses_tls() => format!("failed: {target}, files: {}", error.text()),
                _ => examine(target.clone(), connections.tls()).await,
            });
        }
        lines
    }

    /// Starts the watcher of the files, unless it runs. The end of its runtime ends it.
    fn watch_files(&self) {
        if !self.inner.shared.connections.has_files() {
            return;
        }
        let mut watcher = self.watcher();
        if watcher.as_ref().is_none_or(JoinHandle::is_finished) {
            let inner = Arc::downgrade(&self.inner);
            *watcher = Some(tokio::spawn(watch(inner, self.inner.file_interval)));
        }
    }

    fn watcher(&self) -> MutexGuard<'_, Option<JoinHandle<()>>> {
        self.inner.watcher.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads the files in each interval, until the client is closed or dropped.
async fn watch(inner: Weak<Inner>, interval: Duration) {
    while let Some(inner) = inner.upgrade() {
        inner.shared.connections.observe().await;
        drop(inner);
        sleep(interval).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connections::tests::write_set;

    #[tokio::test]
    async fn client_of_another_process_is_refused_at_once() {
        let mut client = Client::new(Settings::new(["unix:/no/such/socket"])).unwrap();
        Arc::get_mut(&mut client.inner).unwrap().process += 1;
        let error = client.describe_key("alias/orders").await.unwrap_err();
        assert_eq!("CLOSED", error.reason());
        assert!(error.to_string().contains("create it after fork"), "{error}");
    }

    /// Tokio advances the paused clock whenever all tasks wait.
    #[tokio::test(start_paused = true)]
    async fn client_watches_its_files_after_the_first_call() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        write_set(folder.path());
        let settings = Settings::new(["localhost:1"]).tls(path("ca.pem"), path("client.pem"), path("key.pem"));
        let client = Client::new(settings).unwrap();
        client.describe_key("alias/orders").await.unwrap_err();
        let connections = &client.inner.shared.connections;
        let old = connections.channel(0);
        write_set(folder.path());
        let start = std::time::Instant::now();
        while Arc::ptr_eq(&old, &connections.channel(0)) {
            assert!(start.elapsed() < Duration::from_secs(60), "the new files are not used");
            sleep(Duration::from_secs(1)).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn closed_client_does_not_watch_its_files() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        write_set(folder.path());
        let settings = Settings::new(["localhost:1"]).tls(path("ca.pem"), path("client.pem"), path("key.pem"));
        let client = Client::new(settings).unwrap();
        client.describe_key("alias/orders").await.unwrap_err();
        let watcher = client.watcher().as_ref().unwrap().abort_handle();
        client.close().await;
        for _second in 0..60 {
            sleep(Duration::from_secs(1)).await;
            if watcher.is_finished() {
                return;
            }
        }
        panic!("the files are watched");
    }

    #[tokio::test]
    async fn earliest_deadline_counts() {
        let client = Client::new(Settings::new(["unix:/no/such/socket"]).timeout(Duration::from_secs(7))).unwrap();
        assert_eq!(Duration::from_secs(7), client.with_timeout(Duration::from_secs(8)).timeout);
        assert_eq!(Duration::from_secs(6), client.with_timeout(Duration::from_secs(6)).timeout);
        let now = Instant::now();
        let later = now + Duration::from_secs(1);
        assert_eq!(Some(now), client.with_deadline(now).with_deadline(later).deadline);
        let error = client.with_deadline(now).describe_key("alias/orders").await.unwrap_err();
        assert_eq!(("DEADLINE_EXCEEDED", 0), (error.reason(), error.attempts()));
    }
}
