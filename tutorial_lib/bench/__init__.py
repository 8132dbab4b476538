"""Slow references and peers, and the timings beside them. Nothing here is used by the library."""
