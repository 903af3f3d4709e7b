#!/bin/sh
# Start the server in its image. Numba insists on writing where it reads compiled kernels, and the
# image may be mounted read-only: they are copied to where writing is allowed, 0.4 MB.
set -eu

cp -R /srv/kernels/. "$NUMBA_CACHE_DIR"
exec python -m server "$@"
