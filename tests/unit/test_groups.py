"""The groups in which pytest-xdist keeps tests: without them each process would start servers of its own."""

import pytest


def test_a_file_stays_on_one_process(request, worker_id):
    if worker_id == "master":
        pytest.skip("one process plays all tests")
    assert request.node.nodeid.endswith(f"@{request.path}")
