"""Jobs in, answers out: here while there is little to do, in worker processes from where they pay."""

from __future__ import annotations

import os
import pickle
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from rag_assets.errors import WorkerError
from rag_assets.workers.worker import Worker, WorkerDiedError

WORTH_SECONDS = 3.0
"""Work left, in seconds of this process, from which workers pay: one takes 0.3 to 1 s to start."""
MEASURED_SECONDS = 0.25
"""Work after which what is left can be told."""
PROCESSES_MAX = 16


class Job(Protocol):
    """Something to be done. `documents` counts what it is about; `parts` are jobs of one document each."""

    @property
    def documents(self) -> int: ...

    @property
    def payload(self) -> Any: ...

    def parts(self) -> Sequence[Job]: ...


J = TypeVar("J", bound=Job)


@dataclass(frozen=True, slots=True)
class Task:
    """What is done with each payload: `function(payload, *arguments)`. All of it can be pickled, and is pure."""

    function: Callable[..., Any]
    arguments: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Died:
    """The answer to a job of one document that ended the process which had it. `how` says how it ended."""

    how: str


def processes_of_machine() -> int:
    """How many workers this process may keep busy."""
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(available, PROCESSES_MAX)


def work(
    jobs: Iterator[J], task: Task, *, documents: int, isolated: bool = False, processes: int | None = None
) -> Iterator[tuple[J, Any]]:
    """Each job with its answer, as they come; the answer is `Died` where a document ended its worker.

    `documents` is how many there are in all. With `isolated` the jobs may end a process, so all of them go to workers;
    otherwise they are done here until what is left would take `WORTH_SECONDS`. `jobs` is advanced by several threads,
    though never by two at once. Close the generator, or exhaust it, to end the workers.
    """
    count = processes_of_machine() if processes is None else processes
    if not isolated or not sys.executable:
        spent, measured, first = 0.0, 0, True
        for job in jobs:
            start = time.thread_time()
            answer = task.function(job.payload, *task.arguments)
            if not first:  # that one pays for what is loaded once
                spent += time.thread_time() - start
                measured += job.documents
            first = False
            documents -= job.documents
            yield job, answer
            left = spent / max(measured, 1) * documents
            if count > 1 and sys.executable and spent > MEASURED_SECONDS and left > WORTH_SECONDS:
                break
        else:
            return
    if not _travels(task):
        yield from ((job, task.function(job.payload, *task.arguments)) for job in jobs)
        return
    with _Pool(jobs, task, max(1, min(count, documents))) as pool:
        yield from pool.answers()


def _travels(task: Task) -> bool:
    """Whether another process can be told of the task: a tokenizer that somebody wrote in a notebook, say, cannot."""
    try:
        pickle.dumps((task.function, task.arguments))
    except (pickle.PicklingError, TypeError, AttributeError):
        return False
    return True


_END = object()


@dataclass(slots=True)
class _Pool:
    """Threads that each take a job, have it done by a worker of their own, and hand on the answer."""

    jobs: Iterator[Any]
    task: Task
    count: int
    threads: list[threading.Thread] = field(default_factory=list)
    workers: set[Worker] = field(default_factory=set)
    taking: threading.Lock = field(default_factory=threading.Lock)
    stopped: threading.Event = field(default_factory=threading.Event)
    done: queue.Queue[Any] = field(default_factory=queue.Queue)

    def __enter__(self) -> _Pool:
        # Answers wait here for the writer; when it is behind, the threads wait, and the reading with them.
        self.done = queue.Queue(maxsize=2 * self.count)
        self.threads = [threading.Thread(target=self._drive, daemon=True) for _ in range(self.count)]
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopped.set()
        for worker in tuple(self.workers):
            worker.kill()
        for thread in self.threads:
            thread.join()

    def answers(self) -> Iterator[tuple[Any, Any]]:
        """The answers; raises what went wrong in a thread."""
        running = self.count
        while running:
            found = self.done.get()
            if found is _END:
                running -= 1
            elif isinstance(found, BaseException):
                raise found
            else:
                yield found

    def _drive(self) -> None:
        worker: Worker | None = None
        try:
            while (job := self._take()) is not None:
                pending = [job]
                while pending and not self.stopped.is_set():
                    part = pending.pop(0)
                    worker = worker or self._start()
                    try:
                        answer = worker.call(part.payload)
                    except WorkerDiedError as error:
                        self._end(worker)
                        worker = None
                        if part.documents > 1:  # one of them did it: each is tried alone
                            pending[:0] = part.parts()
                            continue
                        answer = Died(str(error))
                    self._put((part, answer))
        except BaseException as error:
            self._put(error)
        finally:
            if worker is not None:
                self._end(worker)
            self._put(_END)

    def _take(self) -> Any:
        with self.taking:
            return None if self.stopped.is_set() else next(self.jobs, None)

    def _start(self) -> Worker:
        try:
            worker = Worker(self.task.function, self.task.arguments)
        except (WorkerDiedError, OSError) as error:
            raise WorkerError(
                f"A worker process ({sys.executable}) cannot be started: {error}.",
                fix="Look at what it said on standard error; it needs memory and this Python environment.",
            ) from None
        self.workers.add(worker)
        return worker

    def _end(self, worker: Worker) -> None:
        self.workers.discard(worker)
        worker.close()

    def _put(self, found: Any) -> None:
        while not self.stopped.is_set():
            try:
                self.done.put(found, timeout=0.1)
            except queue.Full:
                continue
            return
