"""Files, fine-tuning jobs and tuned models of the embedded provider, kept in a folder.

    STATE_DIR/state.sqlite          what is told about files, jobs, events, checkpoints and models: `database.py`
             /files/FILE            the content of a file, as it is served
             /jobs/JOB/             copies of the files that it trains on, the trainer's checkpoint, locks, its log
             /models/LETTERS/       a tuned reader; below it, those of its job's checkpoints
             /training.lock         held by the process that trains: one job at a time, the others are queued

A row is the truth; what lies in the folders is written before its row is, and without one it is nothing. `api.py` takes
requests, `files.py`, `jobs.py` and `models.py` answer them, `supervision.py` sees to it that each job has its process,
and `worker.py` is that process, whose id is in the log of its job.
"""
