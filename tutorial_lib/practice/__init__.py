"""For practitioners: poison, train, measure and clean on your own shards and checkpoints.

One module a job, with one function that the command of the same name calls. Each returns a small frozen result that
prints as text and gives JSON.
"""
