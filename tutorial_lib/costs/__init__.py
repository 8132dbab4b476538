"""What trials take: seconds of a machine from its records, and rented hours of GPUs from counted arithmetic."""

from tutorial_lib.costs.seconds import PATIENCE, CostModel, announce, duration, pairs, parse_duration

__all__ = ["PATIENCE", "CostModel", "announce", "duration", "pairs", "parse_duration"]
