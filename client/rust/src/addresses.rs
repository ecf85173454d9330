//! The addresses of a target with their connections. A pure state machine: the time is an argument.

use std::time::Duration;

use tokio::time::Instant;

use crate::connect::ConnectError;
use crate::retry::exponential;

const MIN_BACKOFF: Duration = Duration::from_millis(100);
const MAX_BACKOFF: Duration = Duration::from_secs(1);

/// A connection, as far as this state machine knows it.
pub(crate) trait Link: Clone {
    /// Whether it takes no more requests.
    fn is_closed(&self) -> bool;
    /// Whether the daemon answered a request.
    fn has_answered(&self) -> bool;
    fn is(&self, other: &Self) -> bool;
}

/// The addresses `P` of a target, and their connections `C`.
pub(crate) struct Addresses<P, C> {
    lines: Vec<Line<P, C>>,
    next: usize,
    lookup: Lookup,
    lookup_backoff: Backoff,
    last_error: Option<ConnectError>,
}

/// An address.
struct Line<P, C> {
    peer: P,
    state: LineState<C>,
    backoff: Backoff,
}

enum LineState<C> {
    Idle,
    Connecting,
    Connected(C),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Lookup {
    Needed,
    Running,
    Done,
}

/// Work for the caller, in parallel. Each job ends with `looked_up`, `connected` or `abandoned`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Job<P> {
    LookUp,
    Connect(P),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome<C> {
    /// The connection for a call.
    Connected(C),
    /// A job decides.
    Pending,
    /// No address has a connection, and none is tried before this time.
    BackOff(Instant, ConnectError),
}

impl<P: Clone + PartialEq, C: Link> Addresses<P, C> {
    pub fn new(now: Instant) -> Addresses<P, C> {
        Addresses {
            lines: Vec::new(),
            next: 0,
            lookup: Lookup::Needed,
            lookup_backoff: Backoff { failures: 0, not_before: now },
            last_error: None,
        }
    }

    /// Selects the connection of a call: connected addresses take turns. Returns the jobs to start.
    pub fn select(&mut self, now: Instant) -> (Outcome<C>, Vec<Job<P>>) {
        let mut jobs = Vec::new();
        for index in 0..self.lines.len() {
            if matches!(&self.lines[index].state, LineState::Connected(link) if link.is_closed()) {
                self.lose(index, now);
            }
        }
        if self.lookup == Lookup::Needed && self.lookup_backoff.not_before <= now {
            self.lookup = Lookup::Running;
            jobs.push(Job::LookUp);
        }
        for line in &mut self.lines {
            if matches!(line.state, LineState::Idle) && line.backoff.not_before <= now {
                line.state = LineState::Connecting;
                jobs.push(Job::Connect(line.peer.clone()));
            }
        }
        (self.outcome(), jobs)
    }

    fn outcome(&mut self) -> Outcome<C> {
        let count = self.lines.len();
        for index in (0..count).map(|step| (self.next + step) % count) {
            if let LineState::Connected(link) = &self.lines[index].state {
                self.next = index + 1;
                return Outcome::Connected(link.clone());
            }
        }
        let connecting = self.lines.iter().any(|line| matches!(line.state, LineState::Connecting));
        if connecting || self.lookup == Lookup::Running {
            return Outcome::Pending;
        }
        let first = self.lines.iter().map(|line| line.backoff.not_before).min();
        let error = self.last_error.unwrap_or(ConnectError::Broken);
        Outcome::BackOff(first.unwrap_or(self.lookup_backoff.not_before), error)
    }

    /// Ends a look-up. Addresses that stay keep their connection. The others lose theirs after its last
    /// call.
    pub fn looked_up(&mut self, result: Result<Vec<P>, ConnectError>, now: Instant) {
        match result {
            Ok(peers) => {
                self.lookup = Lookup::Done;
                self.lookup_backoff = Backoff { failures: 0, not_before: now + MAX_BACKOFF };
                self.lines.retain(|line| peers.contains(&line.peer));
                for peer in peers {
                    if self.lines.iter().all(|line| line.peer != peer) {
                        let backoff = Backoff { failures: 0, not_before: now };
                        self.lines.push(Line { peer, state: LineState::Idle, backoff });
                    }
                }
            }
            Err(error) => {
                self.lookup = Lookup::Needed;
                self.lookup_backoff.fail(now);
                self.note(error);
            }
        }
    }

    /// Ends an attempt to connect.
    pub fn connected(&mut self, peer: &P, result: Result<C, ConnectError>, now: Instant) {
        let Some(line) = self.connecting(peer) else { return };
        match result {
            Ok(link) => {
                line.state = LineState::Connected(link);
                self.last_error = None;
            }
            Err(error) => {
                line.state = LineState::Idle;
                line.backoff.fail(now);
                self.note(error);
                if !self.lines.iter().any(|line| matches!(line.state, LineState::Connected(_))) {
                    self.require_lookup();
                }
            }
        }
    }

    /// Ends a job without a result: its runtime ended.
    pub fn abandoned(&mut self, job: &Job<P>) {
        match job {
            Job::LookUp => self.lookup = Lookup::Needed,
            Job::Connect(peer) => {
                if let Some(line) = self.connecting(peer) {
                    line.state = LineState::Idle;
                }
            }
        }
    }

    /// Forgets a connection that broke.
    pub fn lost(&mut self, lost: &C, now: Instant) {
        let is_lost = |line: &Line<P, C>| matches!(&line.state, LineState::Connected(link) if link.is(lost));
        if let Some(index) = self.lines.iter().position(is_lost) {
            self.lose(index, now);
        }
    }

    /// The error of the last attempt to connect, if no connection was made since.
    pub fn last_error(&self) -> Option<ConnectError> {
        self.last_error
    }

    /// A connection that never answered counts as a failed attempt: it could break again at once.
    fn lose(&mut self, index: usize, now: Instant) {
        let line = &mut self.lines[index];
        let answered = matches!(&line.state, LineState::Connected(link) if link.has_answered());
        line.state = LineState::Idle;
        if answered {
            line.backoff = Backoff { failures: 0, not_before: now };
        } else {
            line.backoff.fail(now);
            self.note(ConnectError::Broken);
        }
        self.require_lookup();
    }

    /// Keeps the last error. A failure of TLS explains a broken connection after it: the peer can close
    /// the connection before its alert arrives.
    fn note(&mut self, error: ConnectError) {
        if error != ConnectError::Broken || !matches!(self.last_error, Some(ConnectError::Tls(_))) {
            self.last_error = Some(error);
        }
    }

    fn require_lookup(&mut self) {
        if self.lookup == Lookup::Done {
            self.lookup = Lookup::Needed;
        }
    }

    fn connecting(&mut self, peer: &P) -> Option<&mut Line<P, C>> {
        self.lines.iter_mut().find(|line| line.peer == *peer && matches!(line.state, LineState::Connecting))
    }
}

struct Backoff {
    failures: u32,
    not_before: Instant,
}

impl Backoff {
    fn fail(&mut self, now: Instant) {
        self.not_before = now + exponential(MIN_BACKOFF, self.failures, MAX_BACKOFF);
        self.failures = self.failures.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;

    use super::*;

    #[derive(Clone, Debug)]
    struct TestLink {
        name: &'static str,
        closed: Rc<Cell<bool>>,
        answered: bool,
    }

    impl PartialEq for TestLink {
        fn eq(&self, other: &TestLink) -> bool {
            self.is(other)
        }
    }

    impl Link for TestLink {
        fn is_closed(&self) -> bool {
            self.closed.get()
        }

        fn has_answered(&self) -> bool {
            self.answered
        }

        fn is(&self, other: &TestLink) -> bool {
            Rc::ptr_eq(&self.closed, &other.closed)
        }
    }

    type Test = Addresses<&'static str, TestLink>;

    fn link(name: &'static str, answered: bool) -> TestLink {
        TestLink { name, closed: Rc::default(), answered }
    }

    fn resolved(peers: &[&'static str], now: Instant) -> Test {
        let mut addresses = Test::new(now);
        assert_eq!((Outcome::Pending, vec![Job::LookUp]), addresses.select(now));
        addresses.looked_up(Ok(peers.to_vec()), now);
        addresses
    }

    fn millis(start: Instant, millis: u64) -> Instant {
        start + Duration::from_millis(millis)
    }

    #[track_caller]
    fn selected(addresses: &mut Test, now: Instant) -> &'static str {
        match addresses.select(now).0 {
            Outcome::Connected(link) => link.name,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn addresses_of_a_name_take_turns() {
        let now = Instant::now();
        let mut addresses = resolved(&["a", "b"], now);
        assert_eq!((Outcome::Pending, vec![Job::Connect("a"), Job::Connect("b")]), addresses.select(now));
        assert_eq!((Outcome::Pending, vec![]), addresses.select(now));
        addresses.connected(&"b", Ok(link("b", true)), now);
        assert_eq!(["b", "b"], [(), ()].map(|()| selected(&mut addresses, now)));
        addresses.connected(&"a", Ok(link("a", true)), now);
        assert_eq!(["a", "b", "a"], [(), (), ()].map(|()| selected(&mut addresses, now)));
    }

    #[test]
    fn refused_address_is_tried_again_after_a_back_off() {
        let now = Instant::now();
        let mut addresses = resolved(&["a"], now);
        let mut time = now;
        for backoff in [100, 200, 400, 800, 1000, 1000] {
            let jobs = addresses.select(time).1;
            assert!(jobs.contains(&Job::Connect("a")));
            if jobs.contains(&Job::LookUp) {
                addresses.looked_up(Ok(vec!["a"]), time);
            }
            addresses.connected(&"a", Err(ConnectError::Refused), time);
            let next = millis(time, backoff);
            if addresses.select(time).1.contains(&Job::LookUp) {
                addresses.looked_up(Ok(vec!["a"]), time);
            }
            assert_eq!(Outcome::BackOff(next, ConnectError::Refused), addresses.select(time).0);
            time = next;
        }
    }

    #[test]
    fn name_is_looked_up_again_after_a_lost_connection() {
        let now = Instant::now();
        let mut addresses = resolved(&["a", "b"], now);
        addresses.select(now);
        let a = link("a", true);
        addresses.connected(&"a", Ok(a.clone()), now);
        addresses.connected(&"b", Ok(link("b", true)), now);
        a.closed.set(true);
        let later = millis(now, 1000);
        let (outcome, jobs) = addresses.select(later);
        assert!(matches!(outcome, Outcome::Connected(link) if link.name == "b"));
        assert_eq!(vec![Job::LookUp, Job::Connect("a")], jobs);
        addresses.looked_up(Ok(vec!["b", "c"]), later);
        assert_eq!(vec![Job::Connect("c")], addresses.select(later).1);
        // The late connection to an address that is gone is dropped.
        addresses.connected(&"a", Ok(link("a", true)), later);
        assert_eq!("b", selected(&mut addresses, later));
        assert_eq!("b", selected(&mut addresses, later));
    }

    #[test]
    fn connection_that_never_answered_is_a_failure() {
        let now = Instant::now();
        for (answered, expected) in
            [(true, Outcome::Pending), (false, Outcome::BackOff(millis(now, 100), ConnectError::Broken))]
        {
            let mut addresses = resolved(&["a"], now);
            addresses.select(now);
            let lost = link("a", answered);
            addresses.connected(&"a", Ok(lost.clone()), now);
            addresses.lost(&link("other", false), now);
            assert_eq!("a", selected(&mut addresses, now));
            addresses.lost(&lost, now);
            assert_eq!(expected, addresses.select(now).0);
        }
    }

    #[test]
    fn failed_lookup_is_repeated_after_a_back_off() {
        let now = Instant::now();
        let mut addresses = Test::new(now);
        addresses.select(now);
        addresses.looked_up(Err(ConnectError::NameNotFound), now);
        let next = millis(now, 100);
        assert_eq!((Outcome::BackOff(next, ConnectError::NameNotFound), vec![]), addresses.select(now));
        assert_eq!(vec![Job::LookUp], addresses.select(next).1);
    }

    #[test]
    fn failure_of_tls_explains_a_broken_connection() {
        let now = Instant::now();
        let tls = ConnectError::Tls(crate::error::TlsFailure::NotTrusted);
        let mut addresses = resolved(&["a"], now);
        for (time, error, expected) in [
            (0, ConnectError::Broken, ConnectError::Broken),
            (1000, tls, tls),
            (2000, ConnectError::Broken, tls),
            (3000, ConnectError::Refused, ConnectError::Refused),
        ] {
            let time = millis(now, time);
            addresses.select(time);
            addresses.connected(&"a", Err(error), time);
            assert_eq!(Some(expected), addresses.last_error());
        }
    }

    #[test]
    fn abandoned_jobs_are_started_again() {
        let now = Instant::now();
        let mut addresses = Test::new(now);
        addresses.select(now);
        addresses.abandoned(&Job::LookUp);
        assert_eq!(vec![Job::LookUp], addresses.select(now).1);
        addresses.looked_up(Ok(vec!["a"]), now);
        addresses.select(now);
        addresses.abandoned(&Job::Connect("a"));
        assert_eq!(vec![Job::Connect("a")], addresses.select(now).1);
    }
}
