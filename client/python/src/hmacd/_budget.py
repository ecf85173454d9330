"""The retry budget of a client."""

import threading

_CAPACITY = 100.0
_REFUND = 0.1


class Budget:
    """A token bucket: an outage does not multiply the load on the daemons. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._tokens = _CAPACITY
        self.full = True
        """Whether `earn` adds nothing. Read without the lock."""

    def take(self) -> bool:
        """Takes the token of a retry. False if there is none."""
        with self._lock:
            if self._tokens < 1:
                return False
            self._tokens -= 1
            self.full = False
            return True

    def earn(self) -> None:
        """Adds 0.1 token, for a call that succeeded at its first attempt."""
        with self._lock:
            self._tokens = min(_CAPACITY, self._tokens + _REFUND)
            self.full = self._tokens == _CAPACITY
