"""`python -m nearfield`: ask a server from a shell."""

import os
import sys

from nearfield.command.run import main


def leave_stderr_to_python() -> None:
    """Send nowhere what gRPC itself writes to stderr, of every handshake that fails and the like.

    The error tells it too. gRPC reads GRPC_VERBOSITY while it is imported, which is over by now;
    where somebody has set it, they want to see those lines.
    """
    if "GRPC_VERBOSITY" in os.environ:
        return
    python = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    sys.stderr = os.fdopen(python, "w", buffering=1, encoding="utf-8", errors="backslashreplace")


if __name__ == "__main__":
    leave_stderr_to_python()
    sys.exit(main(sys.argv[1:]))
