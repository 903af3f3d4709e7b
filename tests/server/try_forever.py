"""A trial that says a lot and does not end."""

import sys
import time

sys.stdout.write("working\n" * 200_000)
sys.stdout.flush()
time.sleep(3600)
