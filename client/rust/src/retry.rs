//! Decides whether an attempt is repeated, and when. Clocks and random numbers are arguments.

use std::time::Duration;

const MIN_BACKOFF: Duration = Duration::from_millis(50);
const MAX_BACKOFF: Duration = Duration::from_secs(1);

/// Returns `first`, doubled `times` times, at most `max`.
pub(crate) fn exponential(first: Duration, times: u32, max: Duration) -> Duration {
    first.saturating_mul(1_u32.checked_shl(times).unwrap_or(u32::MAX)).min(max)
}

/// What the reason of a failure permits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// The failure is final.
    Fail,
    /// The target is suspended, and the next usable target takes the attempt.
    Suspend,
    /// The next target takes the attempt after a back-off.
    BackOff,
    /// The attempt is repeated once, because of damage in transit.
    OnceAfterDamage,
    /// The attempt is repeated once, with a new connection.
    OnceWithNewConnection,
}

/// Returns the action for a reason of the daemon.
pub(crate) fn action(reason: &str) -> Action {
    match reason {
        "STOPPING" => Action::Suspend,
        "TOKEN_UNAVAILABLE"
        | "KEY_UNAVAILABLE"
        | "REGISTRY_UNAVAILABLE"
        | "TOKEN_BUSY"
        | "REGISTRY_BUSY"
        | "MEMORY_BUSY" => Action::BackOff,
        "CHECKSUM_MISMATCH" => Action::OnceAfterDamage,
        "UNAUTHENTICATED" => Action::OnceWithNewConnection,
        _ => Action::Fail,
    }
}

/// The retries of one call.
#[derive(Default)]
pub(crate) struct Retries {
    back_offs: u32,
    damaged: bool,
    reconnected: bool,
}

/// A failed attempt.
pub(crate) struct Attempt {
    pub action: Action,
    /// The delay of the daemon before the back-off: `google.rpc.RetryInfo`.
    pub retry_after: Option<Duration>,
    /// Whether the daemon forbade the retry.
    pub forbidden: bool,
    /// Whether another target is usable for the next attempt.
    pub elsewhere: bool,
    /// Whether the daemon certainly did not get the request.
    pub unsent: bool,
}

impl Retries {
    /// Returns the time before the next attempt, or `None` if the failure is final. `remaining` is the
    /// time until the deadline of the call. `random` is from 0 to 1.
    pub fn next(
        &mut self,
        attempt: &Attempt,
        remaining: Duration,
        budget: &mut Budget,
        random: f64,
    ) -> Option<Duration> {
        if attempt.forbidden {
            return None;
        }
        let delay = match attempt.action {
            Action::Fail => return None,
            // The channel itself delays the next connection.
            Action::Suspend if attempt.elsewhere || attempt.unsent => Duration::ZERO,
            Action::Suspend | Action::BackOff => self.wait(attempt.retry_after, random),
            Action::OnceAfterDamage if !self.damaged => {
                self.damaged = true;
                Duration::ZERO
            }
            Action::OnceWithNewConnection if !self.reconnected => {
                self.reconnected = true;
                Duration::ZERO
            }
            Action::OnceAfterDamage | Action::OnceWithNewConnection => return None,
        };
        (delay < remaining && (attempt.unsent || budget.take())).then_some(delay)
    }

    /// The back-off after the delay of the daemon, so that clients do not retry together. A delay of 0
    /// permits a retry at once.
    fn wait(&mut self, retry_after: Option<Duration>, random: f64) -> Duration {
        let back_off = self.back_off(random);
        match retry_after {
            Some(Duration::ZERO) => Duration::ZERO,
            Some(delay) => delay.saturating_add(back_off),
            None => back_off,
        }
    }

    /// Full jitter, with a doubled limit at each call.
    fn back_off(&mut self, random: f64) -> Duration {
        let limit = exponential(MIN_BACKOFF, self.back_offs, MAX_BACKOFF);
        self.back_offs += 1;
        limit.mul_f64(random)
    }
}

/// Limits the share of retries: a retry takes a token, ten calls that succeed at once give one.
pub(crate) struct Budget {
    /// In tenths of a token.
    tenths: u32,
}

impl Budget {
    const MAX: u32 = 1000;

    pub fn new() -> Budget {
        Budget { tenths: Budget::MAX }
    }

    /// Adds 0.1 tokens, after a call that succeeded at its first attempt.
    pub fn give(&mut self) {
        self.tenths = (self.tenths + 1).min(Budget::MAX);
    }

    fn take(&mut self) -> bool {
        match self.tenths.checked_sub(10) {
            Some(rest) => {
                self.tenths = rest;
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(3600);

    fn failed(reason: &str) -> Attempt {
        Attempt { action: action(reason), retry_after: None, forbidden: false, elsewhere: true, unsent: false }
    }

    fn next(retries: &mut Retries, attempt: &Attempt) -> Option<u64> {
        retries.next(attempt, LONG, &mut Budget::new(), 1.0).map(|delay| delay.as_millis() as u64)
    }

    #[test]
    fn back_off_doubles_up_to_one_second() {
        let mut retries = Retries::default();
        let delays: Vec<_> = (0..7).map(|_| next(&mut retries, &failed("TOKEN_BUSY")).unwrap()).collect();
        assert_eq!(vec![50, 100, 200, 400, 800, 1000, 1000], delays);
    }

    #[test]
    fn back_off_has_full_jitter() {
        let mut retries = Retries::default();
        let delay = retries.next(&failed("KEY_UNAVAILABLE"), LONG, &mut Budget::new(), 0.0).unwrap();
        assert_eq!(Duration::ZERO, delay);
    }

    #[test]
    fn back_off_follows_the_delay_of_the_daemon() {
        let mut retries = Retries::default();
        let attempt = Attempt { retry_after: Some(Duration::from_millis(7)), ..failed("TOKEN_BUSY") };
        assert_eq!(Some(57), next(&mut retries, &attempt));
        assert_eq!(Some(107), next(&mut retries, &attempt));
        let at_once = Attempt { retry_after: Some(Duration::ZERO), ..failed("TOKEN_BUSY") };
        assert_eq!(Some(0), next(&mut retries, &at_once));
    }

    #[test]
    fn attempt_whose_back_off_ends_after_the_deadline_is_not_made() {
        let attempt = Attempt { retry_after: Some(Duration::from_millis(950)), ..failed("TOKEN_BUSY") };
        let next = |random| Retries::default().next(&attempt, Duration::from_secs(1), &mut Budget::new(), random);
        assert_eq!(Some(Duration::from_millis(975)), next(0.5));
        assert_eq!(None, next(1.0));
    }

    #[test]
    fn pushback_forbids_each_retry() {
        for reason in ["TOKEN_BUSY", "STOPPING", "CHECKSUM_MISMATCH", "UNAUTHENTICATED"] {
            let attempt = Attempt { forbidden: true, ..failed(reason) };
            assert_eq!(None, next(&mut Retries::default(), &attempt), "{reason}");
        }
    }

    #[test]
    fn damage_and_authentication_are_repeated_once_each() {
        let mut retries = Retries::default();
        assert_eq!(Some(0), next(&mut retries, &failed("CHECKSUM_MISMATCH")));
        assert_eq!(Some(0), next(&mut retries, &failed("UNAUTHENTICATED")));
        assert_eq!(None, next(&mut retries, &failed("CHECKSUM_MISMATCH")));
        assert_eq!(None, next(&mut retries, &failed("UNAUTHENTICATED")));
    }

    #[test]
    fn other_reasons_are_final() {
        for reason in ["KMS_INVALID_MAC", "ACCESS_DENIED", "INTERNAL", "DEADLINE_EXCEEDED", "NEW_REASON", ""] {
            assert_eq!(None, next(&mut Retries::default(), &failed(reason)), "{reason}");
        }
    }

    #[test]
    fn failure_of_the_only_target_backs_off() {
        let attempt = Attempt { elsewhere: false, ..failed("STOPPING") };
        assert_eq!(Some(50), next(&mut Retries::default(), &attempt));
        assert_eq!(Some(0), next(&mut Retries::default(), &failed("STOPPING")));
    }

    #[test]
    fn budget_ends_retries_of_sent_requests_only() {
        let mut budget = Budget::new();
        let busy = failed("TOKEN_BUSY");
        let take = |budget: &mut Budget| Retries::default().next(&busy, LONG, budget, 0.0).is_some();
        for _ in 0..100 {
            assert!(take(&mut budget));
        }
        assert!(!take(&mut budget));
        let unsent = Attempt { unsent: true, ..failed("STOPPING") };
        assert!(Retries::default().next(&unsent, LONG, &mut budget, 0.0).is_some());
        for _ in 0..9 {
            budget.give();
        }
        assert!(!take(&mut budget));
        budget.give();
        assert!(take(&mut budget));
    }

    #[test]
    fn retry_after_the_deadline_is_not_made_and_takes_no_token() {
        let mut budget = Budget::new();
        for delay in [LONG, Duration::MAX] {
            let attempt = Attempt { retry_after: Some(delay), ..failed("TOKEN_BUSY") };
            assert_eq!(None, Retries::default().next(&attempt, LONG, &mut budget, 0.0));
        }
        assert_eq!(Budget::MAX, budget.tenths);
    }

    #[test]
    fn budget_is_full_at_100_tokens() {
        let mut budget = Budget::new();
        budget.give();
        assert_eq!(100, (0..200).filter(|_| budget.take()).count());
    }
}
