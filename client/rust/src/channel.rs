use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustls::ClientConfig;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

use crate::connect::{ConnectError, connect};
use crate::connection::Connection;
use crate::retry;
use crate::target::Target;

/// The longest time between the ends of two failed connection attempts.
const MAX_BACKOFF: Duration = Duration::from_secs(1);
const MIN_BACKOFF: Duration = Duration::from_millis(100);

/// The limit of one attempt to connect, from the look-up of the name to the first bytes of the daemon.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A channel to a target: one connection, made at the first call and after each loss.
pub(crate) struct Channel {
    pub target: Target,
    /// The scheme and the authority of each request.
    pub origin: http::Uri,
    tls: Option<Arc<ClientConfig>>,
    slot: Mutex<Slot>,
}

struct Slot {
    state: SlotState,
    /// Connections in a row that failed, or broke without an answer.
    failures: u32,
    /// The number of connection attempts.
    turn: usize,
    not_before: Instant,
    last_error: Option<ConnectError>,
}

enum SlotState {
    Idle,
    Connecting(watch::Receiver<Option<Result<Connection, ConnectError>>>),
    Connected(Connection),
}

impl Channel {
    /// Does not connect. `tls` is required for a target with TLS.
    pub fn new(target: Target, tls: Option<Arc<ClientConfig>>) -> Channel {
        let scheme = if target.uses_tls() { http::uri::Scheme::HTTPS } else { http::uri::Scheme::HTTP };
        let origin = http::Uri::builder().scheme(scheme).authority(target.authority()).path_and_query("/").build();
        let origin = origin.expect("a checked target is an authority");
        let slot = Slot { state: SlotState::Idle, failures: 0, turn: 0, not_before: Instant::now(), last_error: None };
        Channel { target, origin, tls, slot: Mutex::new(slot) }
    }

    /// Returns the connection, and makes it if there is none. Calls share one attempt to connect, which
    /// continues if a call ends.
    ///
    /// With `wait`, it repeats failed attempts without end. The caller sets the limit.
    pub async fn connection(&self, wait: bool) -> Result<Connection, ConnectError> {
        loop {
            let mut connecting = match self.connected_or_connecting(wait)? {
                SlotState::Connected(connection) => return Ok(connection),
                SlotState::Connecting(receiver) => receiver,
                SlotState::Idle => unreachable!("the channel connects"),
            };
            let result = match connecting.wait_for(Option::is_some).await {
                Ok(result) => result.clone(),
                Err(_) => None, // The runtime of the attempt ended.
            };
            match self.finish(result, &connecting) {
                Ok(connection) => return Ok(connection),
                Err(error) if !wait => return Err(error),
                Err(_) => {}
            }
        }
    }

    /// Returns the connection or the attempt to connect, and starts an attempt if there is neither.
    /// Without `wait`, a channel in its back-off returns its last error.
    fn connected_or_connecting(&self, wait: bool) -> Result<SlotState, ConnectError> {
        let mut slot = self.slot();
        match &slot.state {
            SlotState::Connected(connection) if !connection.is_closed() => {
                return Ok(SlotState::Connected(connection.clone()));
            }
            SlotState::Connecting(receiver) => return Ok(SlotState::Connecting(receiver.clone())),
            SlotState::Connected(connection) => {
                let connection = connection.clone();
                slot.lose(&connection);
            }
            SlotState::Idle => {}
        }
        if !wait
            && let Some(error) = slot.last_error
            && Instant::now() < slot.not_before
        {
            return Err(error);
        }
        let (sender, receiver) = watch::channel(None);
        let (target, tls, turn, not_before) = (self.target.clone(), self.tls.clone(), slot.turn, slot.not_before);
        slot.turn += 1;
        slot.state = SlotState::Connecting(receiver.clone());
        tokio::spawn(async move {
            sleep_until(not_before).await;
            let connected = async { Connection::start(connect(&target, tls, turn).await?).await };
            // Without a receiver, the channel was dropped.
            let _ = sender.send(Some(timeout(CONNECT_TIMEOUT, connected).await.unwrap_or(Err(ConnectError::TimedOut))));
        });
        Ok(SlotState::Connecting(receiver))
    }

    /// Stores the result of an attempt. The first of the waiting calls does so.
    fn finish(
        &self,
        result: Option<Result<Connection, ConnectError>>,
        attempt: &watch::Receiver<Option<Result<Connection, ConnectError>>>,
    ) -> Result<Connection, ConnectError> {
        let mut slot = self.slot();
        if matches!(&slot.state, SlotState::Connecting(current) if current.same_channel(attempt)) {
            match &result {
                Some(Ok(connection)) => {
                    slot.state = SlotState::Connected(connection.clone());
                    slot.last_error = None;
                }
                Some(Err(error)) => slot.fail(*error),
                None => slot.state = SlotState::Idle,
            }
        }
        result.unwrap_or(Err(ConnectError::Broken))
    }

    /// Forgets a connection that broke.
    pub fn lost(&self, connection: &Connection) {
        self.slot().lose(connection);
    }

    /// The error of the last attempt to connect. `None` if the channel is connected.
    pub fn last_error(&self) -> Option<ConnectError> {
        self.slot().last_error
    }

    fn slot(&self) -> std::sync::MutexGuard<'_, Slot> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Slot {
    /// A connection that never answered counts as a failed attempt: it could break again at once.
    fn lose(&mut self, lost: &Connection) {
        if !matches!(&self.state, SlotState::Connected(current) if current.is(lost)) {
            return;
        }
        if lost.has_answered() {
            self.state = SlotState::Idle;
            self.failures = 0;
            self.last_error = None;
        } else {
            self.fail(ConnectError::Broken);
        }
    }

    fn fail(&mut self, error: ConnectError) {
        self.state = SlotState::Idle;
        self.not_before = Instant::now() + retry::exponential(MIN_BACKOFF, self.failures, MAX_BACKOFF);
        self.failures = self.failures.saturating_add(1);
        self.last_error = Some(error);
    }
}
