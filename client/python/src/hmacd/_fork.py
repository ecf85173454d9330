"""Refuses calls in a child process after a fork.

gRPC does not survive a fork: its threads are not in the child, and both processes would write into
one TLS connection. A child that uses gRPC hangs or crashes, also with a new channel.
"""

import os

_used = False
_lost = False
generation = 0
"""The number of forks between the first process and this one."""


def _after_fork_in_child() -> None:
    global _lost, generation
    _lost = _lost or _used
    generation += 1


if hasattr(os, "register_at_fork"):  # Windows has no fork.
    os.register_at_fork(after_in_child=_after_fork_in_child)


def check() -> None:
    """Marks gRPC as used in this process.

    :raises RuntimeError: in a child of a process that used it
    """
    global _used
    if _lost:
        raise RuntimeError(
            "this process was forked from one that called hmacd, and gRPC does not survive a fork: "
            "make the first call after the fork (for example in post_fork of gunicorn), or start "
            "the process with the method spawn or forkserver of multiprocessing"
        )
    _used = True


def lost() -> bool:
    """Whether gRPC was used in a parent process: its channels cannot be closed here."""
    return _lost
