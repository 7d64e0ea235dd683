"""How what was started from a terminal is told to end."""

import subprocess
import sys

TOLD_IN_A_DESTRUCTOR = """
import os, signal, time
from deployments.ending import end_in_order

class Told:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGTERM)

end_in_order()
try:
    Told()
    print("lost")
    time.sleep(60)
except KeyboardInterrupt:
    time.sleep(0.3)  # in which what was started is ended, and which nothing disturbs
    print("ended in order")
"""


def test_an_order_to_end_that_is_lost_in_a_destructor_is_given_again_and_only_once():
    done = subprocess.run([sys.executable, "-c", TOLD_IN_A_DESTRUCTOR], capture_output=True, text=True, check=True)

    assert done.stdout.split("\n") == ["lost", "ended in order", ""]
