import subprocess
import sys

SET_ASIDE = """
import gc
import server.supervision.worker
from retrieval import kernels
from server.holder import set_aside
before = len(gc.get_objects())
kernels.load()
set_aside()
after = len(gc.get_objects())
aside = gc.get_freeze_count()
kernels.load()
print(before, after, aside, len(gc.get_objects()))
"""


def test_collections_of_a_worker_pass_over_its_modules() -> None:
    command = [sys.executable, "-c", SET_ASIDE]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    before, left, aside, later = map(int, told.split())
    assert before > 10_000
    assert left < before / 100
    assert aside > before / 2
    assert later < before / 100, "calling a kernel imports nothing more"
