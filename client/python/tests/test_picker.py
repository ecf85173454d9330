"""Tests of the selection of targets, and of the retry budget."""

import unittest

from hmacd._budget import Budget
from hmacd._picker import Picker


def picker(count, random=0.5):
    return Picker(count, lambda: random)  # 0.5: no jitter.


class PickerTest(unittest.TestCase):
    def test_usable_targets_take_turns(self):
        three = picker(3)
        self.assertEqual([0, 1, 2, 0], [three.pick(0).target for _ in range(4)])

    def test_target_of_the_last_attempt_is_avoided(self):
        two = picker(2)
        self.assertEqual(1, two.pick(0, avoid=0).target)

    def test_suspended_target_takes_no_attempt(self):
        two = picker(2)
        two.failed(two.pick(0), 0)
        picks = [two.pick(0.05) for _ in range(3)]
        self.assertEqual([(1, False, False)] * 3, [(p.target, p.waits, p.others) for p in picks])

    def test_attempt_timeout_applies_while_another_target_is_usable(self):
        self.assertTrue(picker(2).pick(0).others)
        self.assertFalse(picker(1).pick(0).others)

    def test_suspension_doubles_up_to_5_seconds(self):
        one, ends, now = picker(2), [], 0.0
        other = one.pick(now)  # Target 0
        one.failed(other, now)
        for _ in range(8):
            ends.append(self.end_of_suspension(one, 0, now))
            now += ends[-1]
            probe = next(p for p in (one.pick(now), one.pick(now)) if p.target == 0)
            one.failed(probe, now)
        self.assertEqual([0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0], [round(end, 3) for end in ends])

    def end_of_suspension(self, picker, target, now):
        return picker._states[target].until - now

    def test_jitter_is_20_percent(self):
        for random, length in ((0, 0.08), (1, 0.12)):
            with self.subTest(random=random):
                two = picker(2, random)
                two.failed(two.pick(0), 0)
                self.assertAlmostEqual(length, self.end_of_suspension(two, 0, 0))

    def test_probe_is_the_only_attempt_until_it_ends(self):
        two = picker(2)
        two.failed(two.pick(0), 0)
        picks = [two.pick(1) for _ in range(4)]
        self.assertEqual(1, [p.target for p in picks].count(0))
        probe = next(p for p in picks if p.target == 0)
        two.answered(probe)
        self.assertEqual({0, 1}, {two.pick(1).target for _ in range(2)})

    def test_abandoned_probe_allows_another_probe(self):
        two = picker(2)
        two.failed(two.pick(0), 0)
        probe = next(p for p in (two.pick(1), two.pick(1)) if p.target == 0)
        two.abandoned(probe)
        self.assertIn(0, [two.pick(1).target for _ in range(2)])

    def test_failures_of_one_lost_connection_count_once(self):
        two = picker(2)
        first, _, second = two.pick(0), two.pick(0), two.pick(0)
        self.assertEqual((0, 0), (first.target, second.target))
        two.failed(first, 0)
        two.failed(second, 0)
        self.assertAlmostEqual(0.1, self.end_of_suspension(two, 0, 0))

    def test_without_usable_target_the_attempt_waits_for_the_one_that_is_usable_first(self):
        two = picker(2)
        two.failed(two.pick(0), 0.05)
        two.failed(two.pick(0), 0.01)
        pick = two.pick(0.06)
        self.assertEqual((1, True, False), (pick.target, pick.waits, pick.others))
        self.assertFalse(two.any_usable(0.06))

    def test_one_target_always_waits_for_its_connection(self):
        self.assertTrue(picker(1).pick(0).waits)

    def test_thousands_of_failures_have_a_finite_suspension(self):
        one = picker(1)
        for now in range(0, 20_000, 10):
            one.failed(one.pick(now), now)
        self.assertAlmostEqual(5.0, self.end_of_suspension(one, 0, now))


class BudgetTest(unittest.TestCase):
    def test_100_retries_are_allowed(self):
        budget = Budget()
        self.assertEqual([True] * 100 + [False], [budget.take() for _ in range(101)])

    def test_10_calls_earn_a_retry(self):
        budget = Budget()
        while budget.take():
            pass
        for _ in range(11):  # 10 times 0.1 is less than 1 in binary.
            budget.earn()
        self.assertEqual([True, False], [budget.take(), budget.take()])

    def test_budget_has_at_most_100_tokens(self):
        budget = Budget()
        budget.earn()
        self.assertEqual(100, sum(budget.take() for _ in range(200)))


if __name__ == "__main__":
    unittest.main()
