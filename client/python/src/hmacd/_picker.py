"""Selects the target of each attempt."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

_FIRST_SUSPENSION = 0.1
_LONGEST_SUSPENSION = 5.0
_JITTER = 0.2


class Pick(NamedTuple):
    """The target of an attempt. The attempt ends with one of the picker's other methods."""

    target: int
    waits: bool
    """Whether the attempt waits for its connection: there is no better target."""
    others: bool
    """Whether another target is usable."""
    probe: bool
    epoch: int


@dataclass(slots=True)
class _State:
    failures: int = 0
    until: float = 0.0
    probing: bool = False
    epoch: int = 0  # The number of suspensions.

    def usable(self, now: float) -> bool:
        return self.failures == 0 or (now >= self.until and not self.probing)


class Picker:
    """Round robin over the targets without a suspension. Thread-safe.

    All times are of one monotonic clock, in seconds.
    """

    def __init__(self, count: int, random: Callable[[], float]) -> None:
        """
        :param count: the number of targets, 1 or more
        :param random: returns a number from 0 to 1
        """
        self._lock = threading.Lock()
        self._random = random
        self._states = [_State() for _ in range(count)]
        self._next = 0
        # The picks without a suspended target.
        self._healthy = [
            Pick(target, waits=count == 1, others=count > 1, probe=False, epoch=0)
            for target in range(count)
        ]
        self.suspended = 0
        """The number of suspended targets, also those with a probe. Read without the lock."""

    def pick(self, now: float, avoid: int | None = None) -> Pick:
        """Picks the next usable target, and `avoid` only if no other is usable.

        Without a usable target, picks the one whose suspension ends first.
        """
        with self._lock:
            count = len(self._states)
            if self.suspended == 0:
                target = self._next
                if target == avoid:
                    target = (target + 1) % count
                self._next = (target + 1) % count
                return self._healthy[target]
            turn = [*range(self._next, count), *range(self._next)]
            usable = [i for i in turn if self._states[i].usable(now)]
            if not usable:
                target = min(turn, key=lambda i: self._states[i].until)
            elif usable[0] == avoid and len(usable) > 1:
                target = usable[1]
            else:
                target = usable[0]
            self._next = (target + 1) % count
            return self._picked(target, usable)

    def repeat(self, pick: Pick, now: float) -> Pick:
        """Picks the target of `pick` again, for an attempt over a new channel."""
        with self._lock:
            return self._picked(
                pick.target, [i for i, state in enumerate(self._states) if state.usable(now)]
            )

    def _picked(self, target: int, usable: list[int]) -> Pick:
        state = self._states[target]
        is_usable = target in usable
        probe = is_usable and state.failures > 0
        if probe:
            state.probing = True
        return Pick(
            target=target,
            waits=len(self._states) == 1 or not is_usable,
            others=len(usable) > (1 if is_usable else 0),
            probe=probe,
            epoch=state.epoch,
        )

    def any_usable(self, now: float) -> bool:
        with self._lock:
            return any(state.usable(now) for state in self._states)

    def answered(self, pick: Pick) -> None:
        """The daemon answered: its suspension ends."""
        with self._lock:
            state = self._states[pick.target]
            if state.failures > 0:
                self.suspended -= 1
            state.failures = 0
            state.probing = False

    def failed(self, pick: Pick, now: float) -> None:
        """A transport failure: suspends the target.

        Attempts that began before the suspension do not make it longer: a lost connection fails
        many calls at once.
        """
        with self._lock:
            state = self._states[pick.target]
            if state.epoch != pick.epoch:
                return
            length = min(_FIRST_SUSPENSION * 2.0 ** min(state.failures, 6), _LONGEST_SUSPENSION)
            if state.failures == 0:
                self.suspended += 1
            state.failures += 1
            state.epoch += 1
            self._healthy[pick.target] = self._healthy[pick.target]._replace(epoch=state.epoch)
            state.probing = False
            state.until = now + length * (1 + _JITTER * (2 * self._random() - 1))

    def abandoned(self, pick: Pick) -> None:
        """The attempt ended without news of the target, for example by cancellation."""
        with self._lock:
            state = self._states[pick.target]
            if pick.probe and state.epoch == pick.epoch:
                state.probing = False
