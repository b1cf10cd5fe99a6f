"""Processes that work beside this one, for work that the interpreter's lock would keep to one core.

    work(jobs, task) ─► here, until what is left pays for processes; then a few workers, each fed by a thread

A worker is a fresh interpreter that imports only what its task needs. It is no fork, for LanceDB does not survive one,
and not `multiprocessing`'s spawn either, which would run the caller's main module again. Jobs and answers are pickled
over pipes. A worker that dies costs the one document that killed it; a worker whose parent dies ends by itself.
"""

from rag_assets.workers.pool import Died, Job, Task, work

__all__ = ["Died", "Job", "Task", "work"]
