import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Picker } from '../dist/core/picker.js';

const middle = () => 0.5; // No jitter.

test('attempts take usable targets in turn', () => {
  const picker = new Picker(3, middle);
  const picks = [0, 1, 2, 3].map((now) => picker.pick(now));
  assert.deepEqual(
    picks.map((pick) => pick.index),
    [0, 1, 2, 0],
  );
  assert.ok(picks.every((pick) => pick.usable && pick.limited && !pick.probe));
});

test('a single target takes each attempt, waits, and has no attempt timeout', () => {
  const picker = new Picker(1, middle);
  picker.failed(picker.pick(0), 0);
  const pick = picker.pick(1);
  assert.deepEqual([pick.index, pick.usable, pick.limited], [0, false, false]);
  assert.equal(picker.hasUsable(10_000), false);
});

test('the last usable target has no attempt timeout', () => {
  const picker = new Picker(2, middle);
  picker.failed(picker.pick(0), 0);
  const pick = picker.pick(1);
  assert.deepEqual([pick.index, pick.usable, pick.limited], [1, true, false]);
});

test('a suspension starts with 100 ms, doubles up to 5 s, and ends with an answer', () => {
  const picker = new Picker(2, middle);
  const suspensions = [];
  let now = 0;
  for (let i = 0; i < 8; i++) {
    let pick = picker.pick(now);
    if (pick.index !== 0) {
      picker.answered(pick);
      pick = picker.pick(now);
    }
    assert.equal(pick.index, 0);
    picker.failed(pick, now);
    const start = now;
    while (![picker.pick(now), picker.pick(now)].some((next) => next.index === 0)) {
      now += 1;
    }
    suspensions.push(now - start);
    picker.ended({ index: 0, probe: true });
  }
  assert.deepEqual(suspensions, [100, 200, 400, 800, 1600, 3200, 5000, 5000]);
  const probe = [picker.pick(now), picker.pick(now)].find((pick) => pick.index === 0);
  assert.equal(probe.probe, true);
  picker.answered(probe);
  assert.equal([picker.pick(now), picker.pick(now)].find((pick) => pick.index === 0).probe, false);
});

for (const [random, first] of [
  [0, 80],
  [0.9999999, 120],
]) {
  test(`the jitter of a suspension is 20 %: with randomness ${random}, the first one is ${first} ms`, () => {
    const picker = new Picker(2, () => random);
    picker.failed(picker.pick(0), 0);
    const isPicked = (now) => picker.pick(now).index === 0 || picker.pick(now).index === 0;
    assert.equal(isPicked(first - 1), false);
    assert.equal(isPicked(first), true);
  });
}

test('until the probe ends, its target takes no other attempt', () => {
  const picker = new Picker(2, middle);
  picker.failed(picker.pick(0), 0);
  const probe = [picker.pick(200), picker.pick(200)].find((pick) => pick.probe);
  assert.equal(probe.index, 0);
  assert.deepEqual(
    [1, 2, 3].map(() => picker.pick(200).index),
    [1, 1, 1],
  );
  picker.ended(probe); // For example cancelled: the next attempt is the probe.
  assert.ok([picker.pick(200), picker.pick(200)].some((pick) => pick.index === 0 && pick.probe));
});

test('attempts from before a suspension do not lengthen it', () => {
  const picker = new Picker(2, middle);
  const picks = Array.from({ length: 8 }, () => picker.pick(0)).filter((pick) => pick.index === 0);
  assert.equal(picks.length, 4);
  picks.forEach((pick) => picker.failed(pick, 10));
  assert.ok([picker.pick(110), picker.pick(110)].some((pick) => pick.index === 0));
});

test('without a usable target, the attempt takes that whose suspension ends first, and waits', () => {
  const picker = new Picker(2, middle);
  const [first, second] = [picker.pick(0), picker.pick(0)];
  picker.failed(second, 5);
  picker.failed(first, 10);
  const pick = picker.pick(20);
  assert.deepEqual([pick.index, pick.usable, pick.limited], [1, false, false]);
  assert.equal(picker.hasUsable(20), false);
  assert.equal(picker.hasUsable(105), true);
});
