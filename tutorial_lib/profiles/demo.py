"""Live in a chapter, with the records of `cpu` beside it."""

from dataclasses import replace

from tutorial_lib.profiles.cpu import CPU

DEMO = replace(
    CPU, name="demo", about="live in a chapter, with the records of cpu beside it", reference="cpu", memory_gib=3
)
