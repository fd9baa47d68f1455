"""A lock that a forked process finds open.

A fork copies locks as they are. If another thread holds one at that moment, nobody in the child would ever release it.
"""

import os
import threading
from collections.abc import Callable
from typing import Any


class ForkLock:
    """A lock made by `make`, for a `with` block; a forked process gets a new one."""

    def __init__(self, make: Callable[[], Any] = threading.Lock) -> None:
        self.make = make
        self.renew()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self.renew)

    def renew(self) -> None:
        """Take a new lock, which nobody holds."""
        self.lock = self.make()

    def __enter__(self) -> None:
        self.lock.acquire()

    def __exit__(self, *error: object) -> None:
        self.lock.release()
