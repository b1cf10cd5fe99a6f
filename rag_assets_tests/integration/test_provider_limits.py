"""Two processes of one project at once, under one limit: by the server's own clock they keep to it together."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time

import pytest

from rag_assets_tests.conftest import SmallProject
from rag_assets_tests.integration.gateway import gateway_settings, use_gateway
from rag_assets_tests.openai_server import Fault, OpenAIServer, openai_server

__all__ = ["openai_server"]

UNDER_WAY = 8  # requests that two processes send at once
EMBED = """
    import sys
    from rag_assets.project import Project

    name, count = sys.argv[1], int(sys.argv[2])
    with Project.open() as project:
        with project.embedder() as embedder:
            list(embedder.embed_documents(["warm up " + name]))
            print("ready", flush=True)
            sys.stdin.readline()
            list(embedder.embed_documents([f"{name} {number}" for number in range(count)]))
"""


class Embedding:
    """A process that embeds `count` texts, one a request, once it is told to."""

    def __init__(self, name: str, count: int) -> None:
        command = [sys.executable, "-c", textwrap.dedent(EMBED), name, str(count)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ.copy()
        )

    def wait_until_ready(self) -> None:
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"

    def start(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()

    def finish(self) -> None:
        self.process.communicate(timeout=120)
        assert self.process.returncode == 0


@pytest.mark.slow
def test_two_processes_keep_to_one_limit_and_to_each_other_s_retry_after(
    small_project: SmallProject, openai_server: OpenAIServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_gateway(small_project, openai_server, monkeypatch)
    limit = 200  # 20 at once, then one every 60/181 s
    small_project.configure(gateway_settings(openai_server, requests_per_minute=limit, batch_size=1), wiki="")
    both = [Embedding(name, 14) for name in ("left", "right")]
    for one in both:
        one.wait_until_ready()
    warm = len(openai_server.requests)
    openai_server.script(Fault(status=429, headers={"retry-after": "1.5"}))
    left, right = both
    left.start()
    held_until = wait_for_a_hold(small_project)
    right.start()
    for one in both:
        one.finish()
    asked = openai_server.requests[warm:]
    assert len(asked) == 29
    assert min(request.at for request in asked if "right" in request.inputs[0]) >= held_until
    # In any stretch of time: what may go at once, what refills meanwhile, and what was late on its way.
    times = sorted(request.at for request in asked)
    for first, start in enumerate(times):
        for last, end in enumerate(times[first:], first):
            assert last - first + 1 <= 20 + (end - start) * 181 / 60 + 1 + UNDER_WAY
    assert times[-1] - held_until >= (29 - 20 - UNDER_WAY) * 60 / 181


def wait_for_a_hold(project: SmallProject) -> float:
    """The moment until which the provider is left alone, once some process was told so; a monotonic time."""
    with project.open() as opened:
        give_up_at = time.monotonic() + 60
        while (seconds := opened.ledger.provider_hold_seconds("gateway")) == 0:
            assert time.monotonic() < give_up_at
            time.sleep(0.005)
        return time.monotonic() + seconds - 0.05
