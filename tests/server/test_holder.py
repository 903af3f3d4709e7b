import subprocess
import sys

SET_ASIDE = """
import gc
import server.supervision.worker
from server.holder import set_aside
before = len(gc.get_objects())
set_aside()
print(before, len(gc.get_objects()), gc.get_freeze_count())
"""


def test_collections_of_a_worker_pass_over_its_modules() -> None:
    command = [sys.executable, "-c", SET_ASIDE]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    before, left, aside = map(int, told.split())
    assert before > 10_000
    assert left < before / 100
    assert aside > before / 2
