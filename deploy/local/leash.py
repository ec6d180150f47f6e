"""Run a command so that it ends when the process that started it ends, as another user if need be.

Run as a script, not imported: ``python leash.py SIGNAL PARENT_PID USER COMMAND...``, with USER ``-`` to stay who we
are. It becomes the command (same process id). On Linux the kernel then sends it SIGNAL when the *thread* that started
it ends, which is why ``processes.py`` starts all of them from one thread; elsewhere nothing watches over the command.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import signal
import sys
from typing import Final

_PR_SET_PDEATHSIG: Final = 1


def main(signal_name: str, parent_pid: str, user: str, *command: str) -> None:
    if user != "-":
        account = pwd.getpwnam(user)
        os.initgroups(account.pw_name, account.pw_gid)
        os.setgid(account.pw_gid)
        os.setuid(account.pw_uid)
    if sys.platform == "linux":
        # After the change of user, which would clear it.
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(_PR_SET_PDEATHSIG, signal.Signals[signal_name].value, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
        if os.getppid() != int(parent_pid):
            sys.exit("the process that started this one has ended already")
    os.execvp(command[0], command)  # noqa: S606 - becoming the command is the point


if __name__ == "__main__":
    main(*sys.argv[1:])
