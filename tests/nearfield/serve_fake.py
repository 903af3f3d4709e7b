"""A fake server as a process, named by its generation; it says its port and serves until killed."""

import signal
import sys

from nearfield.testing import FakeServer, FakeWorld

if __name__ == "__main__":
    name, port = sys.argv[1], int(sys.argv[2])
    shared = sys.argv[3:] == ["shared"]
    with FakeServer(FakeWorld(generation=name), port=port, port_shared=shared) as server:
        sys.stdout.write(f"{server.port}\n")
        sys.stdout.flush()
        signal.pause()
