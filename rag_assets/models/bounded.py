"""A bounded pool of threads for paid work: results are kept as they arrive, also when one of the jobs fails."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import TypeVar

Job = TypeVar("Job")
Result = TypeVar("Result")


def run_bounded(
    work: Callable[[Job], tuple[list[Result], Exception | None]], jobs: Iterable[Job], workers: int
) -> Iterator[Result]:
    """Runs `work` over `jobs` in at most `workers` threads and yields results in the order in which they arrive.

    `work` returns what it has and the error that stopped it, if one did. After an error no further job starts; what is
    under way is waited for and yielded, and then the first error is raised. An interrupt during the wait is such an
    error, since what is under way is paid for; a second one ends the wait. A consumer that is slow holds back new jobs,
    and one that stops early stops them.
    """
    waiting = iter(jobs)
    first_error: BaseException | None = None
    with ThreadPoolExecutor(max_workers=workers, thread_name_prefix="models") as pool:
        running: set[Future[tuple[list[Result], Exception | None]]] = set()
        while True:
            while first_error is None and len(running) < workers:
                try:
                    running.add(pool.submit(work, next(waiting)))
                except StopIteration:
                    break
            if not running:
                break
            try:
                done, running = wait(running, return_when=FIRST_COMPLETED)
            except BaseException as interrupt:
                if first_error is not None:
                    raise
                first_error = interrupt
                continue
            for future in done:
                results, error = future.result()
                first_error = first_error or error
                yield from results
    if first_error is not None:
        raise first_error
