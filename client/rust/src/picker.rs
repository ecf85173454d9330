//! Selects the target of an attempt. A pure state machine: the time is an argument.

use std::time::Duration;

use tokio::time::Instant;

use crate::retry::exponential;

const FIRST_SUSPENSION: Duration = Duration::from_millis(100);
const MAX_SUSPENSION: Duration = Duration::from_secs(5);
const JITTER: f64 = 0.2;

/// The targets of a client, by their index.
pub(crate) struct Picker {
    health: Vec<Health>,
    next: usize,
}

#[derive(Clone, Default)]
struct Health {
    /// Transport failures in a row.
    failures: u32,
    /// The end of the suspension. `None` if the target is not suspended.
    suspended_until: Option<Instant>,
    /// Whether an attempt probes the target after its suspension.
    probing: bool,
    /// The number of suspensions so far.
    suspensions: u64,
}

/// The target that a call wishes for its next attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wish {
    Any,
    /// Another one than this target, if another one is usable.
    Not(usize),
    Same(usize),
}

/// The target of an attempt. The attempt ends with [`Picker::answered`], [`Picker::failed`] or
/// [`Picker::abandoned`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pick {
    pub index: usize,
    /// Whether no target is usable, so that the attempt waits for the connection.
    pub waits: bool,
    /// Whether another target is usable.
    pub others: bool,
    probe: bool,
    suspensions: u64,
}

impl Picker {
    pub fn new(targets: usize) -> Picker {
        Picker { health: vec![Health::default(); targets], next: 0 }
    }

    /// Takes the next usable target in turn, or the target whose suspension ends first.
    pub fn pick(&mut self, now: Instant, wish: Wish) -> Pick {
        let count = self.health.len();
        let in_turn = |health: &[Health], next: usize, avoid: Option<usize>| {
            (0..count)
                .map(|step| (next + step) % count)
                .find(|index| Some(*index) != avoid && health[*index].usable(now))
        };
        let index = match wish {
            Wish::Same(index) => Some(index),
            Wish::Not(index) => in_turn(&self.health, self.next, Some(index)),
            Wish::Any => None,
        };
        let usable = index.or_else(|| in_turn(&self.health, self.next, None));
        let index = usable.unwrap_or_else(|| self.first_to_end());
        let others = self.has_other(index, now);
        let health = &mut self.health[index];
        let probe = health.usable(now) && health.suspended_until.is_some();
        health.probing |= probe;
        if usable.is_some() {
            self.next = (index + 1) % count;
        }
        let suspensions = health.suspensions;
        Pick { index, waits: usable.is_none() || count == 1, others, probe, suspensions }
    }

    /// Whether a target other than `index` is usable.
    pub fn has_other(&self, index: usize, now: Instant) -> bool {
        self.health.iter().enumerate().any(|(other, health)| other != index && health.usable(now))
    }

    /// Ends an attempt with an answer of the daemon, of any content.
    pub fn answered(&mut self, pick: Pick) {
        let health = &mut self.health[pick.index];
        *health = Health { suspensions: health.suspensions, ..Health::default() };
    }

    /// Ends an attempt with a transport failure, and suspends the target. `random` is from 0 to 1.
    ///
    /// An attempt that started before the suspension does not extend it: calls that were in flight
    /// together are one failure.
    pub fn failed(&mut self, pick: Pick, now: Instant, random: f64) {
        let health = &mut self.health[pick.index];
        if pick.suspensions != health.suspensions {
            return;
        }
        health.suspensions += 1;
        let suspension = exponential(FIRST_SUSPENSION, health.failures, MAX_SUSPENSION);
        let jitter = 1.0 + JITTER * (2.0 * random - 1.0);
        health.failures = health.failures.saturating_add(1);
        health.suspended_until = Some(now + suspension.mul_f64(jitter));
        health.probing = false;
    }

    /// Ends an attempt without a result, for example if its call was cancelled. The next attempt is the
    /// probe.
    pub fn abandoned(&mut self, pick: Pick) {
        if pick.probe {
            self.health[pick.index].probing = false;
        }
    }

    fn first_to_end(&self) -> usize {
        let ends = self.health.iter().map(|health| health.suspended_until);
        ends.enumerate().min_by_key(|(_, end)| *end).map_or(0, |(index, _)| index)
    }
}

impl Health {
    fn usable(&self, now: Instant) -> bool {
        !self.probing && self.suspended_until.is_none_or(|end| end <= now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HALF: f64 = 0.5; // No jitter.

    fn after(start: Instant, millis: u64) -> Instant {
        start + Duration::from_millis(millis)
    }

    #[test]
    fn usable_targets_take_turns() {
        let now = Instant::now();
        let mut picker = Picker::new(3);
        let picks: Vec<_> = (0..5).map(|_| picker.pick(now, Wish::Any)).collect();
        assert_eq!(vec![0, 1, 2, 0, 1], picks.iter().map(|pick| pick.index).collect::<Vec<_>>());
        assert!(picks.iter().all(|pick| pick.others && !pick.waits));
    }

    #[test]
    fn retry_avoids_its_last_target_if_possible() {
        let now = Instant::now();
        let mut picker = Picker::new(2);
        assert_eq!(1, picker.pick(now, Wish::Not(0)).index);
        assert_eq!(1, Picker::new(2).pick(now, Wish::Not(0)).index);
        assert_eq!(0, Picker::new(1).pick(now, Wish::Not(0)).index);
    }

    #[test]
    fn only_target_waits_and_has_no_others() {
        let pick = Picker::new(1).pick(Instant::now(), Wish::Any);
        assert!(pick.waits && !pick.others);
    }

    #[test]
    fn suspension_doubles_up_to_five_seconds() {
        let mut now = Instant::now();
        let mut picker = Picker::new(2);
        for expected in [100, 200, 400, 800, 1600, 3200, 5000, 5000] {
            let pick = picker.pick(now, Wish::Not(1));
            assert_eq!(0, pick.index);
            picker.failed(pick, now, HALF);
            assert_eq!(1, picker.pick(after(now, expected - 1), Wish::Not(1)).index);
            now = after(now, expected);
        }
    }

    #[test]
    fn jitter_is_a_fifth_in_both_directions() {
        for (random, millis) in [(0.0, 80), (1.0, 120)] {
            let now = Instant::now();
            let mut picker = Picker::new(2);
            let pick = picker.pick(now, Wish::Any);
            picker.failed(pick, now, random);
            assert!(!picker.has_other(1, after(now, millis - 1)));
            assert!(picker.has_other(1, after(now, millis + 1)));
        }
    }

    #[test]
    fn probe_excludes_other_attempts_until_it_ends() {
        let now = Instant::now();
        let mut picker = Picker::new(2);
        let pick = picker.pick(now, Wish::Any);
        picker.failed(pick, now, HALF);
        let later = after(now, 150);
        let probe = picker.pick(later, Wish::Not(1));
        assert_eq!((0, true), (probe.index, probe.probe));
        assert_eq!(1, picker.pick(later, Wish::Not(1)).index);
        picker.abandoned(probe);
        let probe = picker.pick(later, Wish::Not(1));
        assert_eq!((0, true), (probe.index, probe.probe));
        picker.answered(probe);
        let pick = picker.pick(later, Wish::Not(1));
        assert_eq!((0, false), (pick.index, pick.probe));
    }

    #[test]
    fn failures_together_are_one_suspension() {
        let now = Instant::now();
        let mut picker = Picker::new(1);
        let picks: Vec<_> = (0..10).map(|_| picker.pick(now, Wish::Any)).collect();
        for pick in picks {
            picker.failed(pick, now, HALF);
        }
        assert!(picker.health[0].usable(after(now, 100)));
    }

    #[test]
    fn failure_of_an_attempt_before_the_suspension_does_not_extend_it() {
        let now = Instant::now();
        let mut picker = Picker::new(1);
        let picks = [(); 3].map(|()| picker.pick(now, Wish::Any));
        picker.failed(picks[0], now, HALF);
        let later = after(now, 150);
        picker.failed(picks[1], later, HALF);
        assert!(picker.health[0].usable(later));
        let probe = picker.pick(later, Wish::Any);
        picker.answered(probe);
        picker.failed(picks[2], later, HALF);
        assert!(picker.health[0].usable(later));
    }

    #[test]
    fn without_usable_target_the_first_to_end_is_taken() {
        let now = Instant::now();
        let mut picker = Picker::new(2);
        for random in [1.0, 0.0] {
            let pick = picker.pick(now, Wish::Any);
            picker.failed(pick, now, random);
        }
        let pick = picker.pick(now, Wish::Any);
        assert_eq!((1, true, false), (pick.index, pick.waits, pick.others));
    }

    #[test]
    fn answer_ends_the_suspension_and_its_history() {
        let now = Instant::now();
        let mut picker = Picker::new(1);
        let pick = picker.pick(now, Wish::Any);
        picker.failed(pick, now, HALF);
        picker.answered(pick);
        let pick = picker.pick(now, Wish::Any);
        picker.failed(pick, now, HALF);
        assert!(picker.health[0].usable(after(now, 100)));
    }
}
