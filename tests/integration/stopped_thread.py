"""One thread of another process held still, while the others go on."""

import ctypes
import os
import pathlib

SEIZE, INTERRUPT, DETACH = 0x4206, 0x4207, 17  # of ptrace(2)
ANY_THREAD = 0x40000000  # __WALL of waitpid(2)

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.restype = ctypes.c_long
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p]


class StoppedThread:
    """with StoppedThread(pid, "loader"): the thread of that name stands still."""

    def __init__(self, pid, name):
        named = [
            int(task.name)
            for task in pathlib.Path(f"/proc/{pid}/task").iterdir()
            if (task / "comm").read_text().strip() == name
        ]
        if len(named) != 1:
            raise SystemExit(f"FAILED: {len(named)} threads {name} in process {pid}")
        self.thread = named[0]

    def ask(self, what):
        if _libc.ptrace(what, self.thread, None, None) != 0:
            raise OSError(ctypes.get_errno(), f"ptrace of thread {self.thread}")

    def __enter__(self):
        self.ask(SEIZE)
        self.ask(INTERRUPT)
        os.waitpid(self.thread, ANY_THREAD)
        return self

    def __exit__(self, *_):
        self.ask(DETACH)
