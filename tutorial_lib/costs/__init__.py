"""What trials take: seconds of a machine from its records, and rented hours of GPUs from counted arithmetic."""

from tutorial_lib.costs.seconds import CostModel, announce, duration, pairs, parse_duration

__all__ = ["CostModel", "announce", "duration", "pairs", "parse_duration"]
