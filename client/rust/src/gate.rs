use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use crate::error::Error;

/// Counts the calls in flight, and refuses calls after the close of a client.
pub(crate) struct Gate {
    calls: watch::Sender<Calls>,
    cancelled: watch::Sender<bool>,
}

#[derive(Clone, Copy)]
struct Calls {
    open: bool,
    in_flight: usize,
}

/// A call in flight.
pub(crate) struct Pass<'a> {
    gate: &'a Gate,
    cancelled: watch::Receiver<bool>,
}

impl Gate {
    pub fn new() -> Gate {
        Gate { calls: watch::Sender::new(Calls { open: true, in_flight: 0 }), cancelled: watch::Sender::new(false) }
    }

    /// Begins a call.
    pub fn enter(&self) -> Result<Pass<'_>, Error> {
        let entered = self.calls.send_if_modified(|calls| {
            calls.in_flight += usize::from(calls.open);
            calls.open
        });
        if !entered {
            return Err(Error::closed("the client is closed"));
        }
        Ok(Pass { gate: self, cancelled: self.cancelled.subscribe() })
    }

    /// Refuses new calls, waits for the calls in flight, and cancels those that take longer than
    /// `limit`.
    pub async fn close(&self, limit: Duration) {
        self.calls.send_modify(|calls| calls.open = false);
        let mut calls = self.calls.subscribe();
        let _ = timeout(limit, calls.wait_for(|calls| calls.in_flight == 0)).await;
        self.cancelled.send_replace(true);
    }
}

impl Pass<'_> {
    /// Returns when the client cancels its calls.
    pub async fn cancelled(&mut self) {
        // An error means that the gate was dropped. A pass borrows it.
        let _ = self.cancelled.wait_for(|cancelled| *cancelled).await;
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        self.gate.calls.send_modify(|calls| calls.in_flight -= 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(3600);

    #[tokio::test]
    async fn closed_gate_refuses_calls() {
        let gate = Gate::new();
        gate.close(LONG).await;
        gate.close(LONG).await;
        assert_eq!("CLOSED", gate.enter().err().unwrap().reason());
    }

    #[tokio::test]
    async fn close_waits_for_calls_in_flight() {
        let gate = Gate::new();
        let pass = gate.enter().unwrap();
        let close = gate.close(LONG);
        tokio::pin!(close);
        assert!(tokio::select! { biased; () = &mut close => false, () = tokio::task::yield_now() => true });
        drop(pass);
        close.await;
    }

    #[tokio::test]
    async fn close_cancels_calls_after_its_limit() {
        let gate = Gate::new();
        let mut pass = gate.enter().unwrap();
        tokio::join!(gate.close(Duration::ZERO), pass.cancelled());
    }
}
