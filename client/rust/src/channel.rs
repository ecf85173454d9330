use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::uri::Scheme;
use rustls::ClientConfig;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

use crate::addresses::{Addresses, Job, Outcome};
use crate::connect::{ConnectError, Peer, connect, look_up};
use crate::connection::Connection;
use crate::target::Target;

/// The limit of a look-up, and of one attempt to connect, up to the first bytes of the daemon.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A channel to a target: one connection to each address of its name.
pub(crate) struct Channel {
    pub target: Target,
    /// The scheme and the authority of each request.
    pub origin: http::Uri,
    tls: Option<Arc<ClientConfig>>,
    addresses: Mutex<Addresses<Peer, Connection>>,
    /// Changes after each job.
    changed: watch::Sender<()>,
}

impl Channel {
    /// Does not connect. `tls` is required for a target with TLS.
    pub fn new(target: Target, tls: Option<Arc<ClientConfig>>) -> Channel {
        let scheme = if target.uses_tls() { Scheme::HTTPS } else { Scheme::HTTP };
        let origin = http::Uri::builder().scheme(scheme).authority(target.authority()).path_and_query("/").build();
        Channel {
            origin: origin.expect("a checked target is an authority"),
            target,
            tls,
            addresses: Mutex::new(Addresses::new(Instant::now())),
            changed: watch::Sender::new(()),
        }
    }

    /// Returns a connection, and makes it if there is none. Calls share the attempts to connect, which
    /// continue if a call ends.
    ///
    /// With `wait`, it waits for a connection without limit. Otherwise it fails during the back-off.
    pub async fn connection(self: &Arc<Channel>, wait: bool) -> Result<Connection, ConnectError> {
        let mut changed = self.changed.subscribe();
        loop {
            changed.mark_unchanged();
            let (outcome, jobs) = self.addresses().select(Instant::now());
            for job in jobs {
                tokio::spawn(Running { channel: self.clone(), job, ended: false }.run());
            }
            let end_of_backoff = match outcome {
                Outcome::Connected(connection) => return Ok(connection),
                Outcome::Pending => None,
                Outcome::BackOff(_, error) if !wait => return Err(error),
                Outcome::BackOff(end, _) => Some(end),
            };
            tokio::select! {
                // An error means that the sender was dropped. The channel has it.
                _ = changed.changed() => {}
                () = sleep_until(end_of_backoff.unwrap_or_else(Instant::now)), if end_of_backoff.is_some() => {}
            }
        }
    }

    /// Forgets a connection that broke.
    pub fn lost(&self, connection: &Connection) {
        self.addresses().lost(connection, Instant::now());
    }

    /// The error of the last attempt to connect, if no connection was made since.
    pub fn last_error(&self) -> Option<ConnectError> {
        self.addresses().last_error()
    }

    fn addresses(&self) -> MutexGuard<'_, Addresses<Peer, Connection>> {
        self.addresses.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A job in a task. Its drop abandons it, if its runtime ends.
struct Running {
    channel: Arc<Channel>,
    job: Job<Peer>,
    ended: bool,
}

impl Running {
    async fn run(mut self) {
        let channel = &self.channel;
        match &self.job {
            Job::LookUp => {
                let result = timeout(CONNECT_TIMEOUT, look_up(&channel.target)).await;
                channel.addresses().looked_up(result.unwrap_or(Err(ConnectError::NameNotFound)), Instant::now());
            }
            Job::Connect(peer) => {
                let connected =
                    async { Connection::start(connect(&channel.target, peer, channel.tls.clone()).await?).await };
                let result = timeout(CONNECT_TIMEOUT, connected).await;
                channel.addresses().connected(peer, result.unwrap_or(Err(ConnectError::TimedOut)), Instant::now());
            }
        }
        self.ended = true;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.ended {
            self.channel.addresses().abandoned(&self.job);
        }
        self.channel.changed.send_replace(());
    }
}
