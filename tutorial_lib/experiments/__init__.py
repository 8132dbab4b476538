"""One module per figure of the papers: its numbers for each profile, trials, reduction, plot, and claims' quantities.

`tutorial_lib.evidence.registry` finds them and says what a module has.
"""

from tutorial_lib.evidence.registry import load
from tutorial_lib.evidence.shown import show

__all__ = ["load", "show"]
