"""What users would pick instead, each in a script of its own that imports nothing of this project.

They run in the environment `.venv-bench`, which `make bench` fills from `bench/comparators.txt`.
"""
