"""Numbers from records in a text: what the roles of the pages stand for.

{measured}`fig2_right.successes(128) %` is a mean over models, {interval}`…` its 95 % interval, and
{verdict}`backdoor_rises` a verdict; `%` is for per cent, `.1f` and the like for the format, `+.1f` with its sign.
"""

from __future__ import annotations

import ast
import math
import re

from tutorial_lib.evidence import claims, registry
from tutorial_lib.evidence.shown import Source
from tutorial_lib.evidence.statistics import Estimate, estimate_mean

QUANTITY = re.compile(
    r"(?P<module>\w+)\.(?P<name>\w+)(?:\((?P<args>[^)]*)\))?\s*(?P<unit>%)?\s*(?P<format>\+?\.\d[fg])?"
)
ROLE = re.compile(r"\{(?P<role>measured|interval|verdict)\}`(?P<text>[^`]+)`")
#: What stands for a number that has no records.
MISSING = "(not run yet)"
MINUS = "\N{MINUS SIGN}"
#: Quantities that are shares of pictures or texts, whatever experiment they belong to: others may be differences.
SHARES = frozenset(("accuracies", "badnets_before", "control", "pretrained_before", "success", "successes"))


def printed(value: float, form: str) -> str:
    """A number as pages print it: with a minus sign in place of a hyphen, and no sign before zero.

    Example:
        >>> printed(-48.2, ".0f"), printed(-0.2, ".0f"), printed(1.64, "+.1f")
        ('−48', '0', '+1.6')
    """
    text = format(value, form)
    if float(text) == 0:
        return format(0.0, form.removeprefix("+"))
    return text.replace("-", MINUS, 1) if text.startswith("-") else text


def quantity(text: str, source: Source) -> tuple[Estimate | None, float, str]:
    """Estimate, scale and format of what a role says.

    Raises:
        ValueError: the text is not understood, or there is no such quantity.

    Example:
        >>> found, scale, form = quantity("fig2_right.successes(128) %.1f", registry.results("demo"))
        >>> found.n, scale, form
        (4, 100.0, '.1f')
    """
    match = QUANTITY.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} is not module.quantity(arguments) with an optional % and format")
    module = registry.load(match["module"])
    if not hasattr(module, match["name"]):
        raise ValueError(f"{match['module']} has no quantity {match['name']!r}")
    try:
        arguments = ast.literal_eval(f"({match['args']},)") if match["args"] else ()
    except SyntaxError as error:
        raise ValueError(f"the arguments of {text!r} are no values of Python") from error
    found = getattr(module, match["name"])(source.behind(match["module"]), *arguments)
    if isinstance(found, dict):
        found = list(found.values())
    scale = 100.0 if match["unit"] else 1.0
    ready = isinstance(found, Estimate) or found is None
    estimate = found if ready else _over_models([float(v) for v in found])
    return estimate, scale, match["format"] or (".0f" if match["unit"] else ".2f")


def _over_models(values: list[float]) -> Estimate | None:
    """The mean and its interval; a single model has none."""
    if len(values) == 1:
        return Estimate(values[0], math.nan, math.nan, 1, math.nan, "one model")
    return estimate_mean(values) if values else None


def measured(text: str, source: Source) -> str:
    """The mean of a quantity over the recorded models.

    Raises:
        ValueError: the text is not understood, or there is no such quantity.

    Example:
        >>> measured("fig2_right.successes(0) %.1f", registry.results("demo"))
        '0.6'
    """
    estimate, scale, form = quantity(text, source)
    return MISSING if estimate is None else printed(scale * estimate.value, form)


def bounds(text: str) -> tuple[float, float]:
    """What a quantity cannot leave: a share neither 0 nor 1, as a t interval may.

    Example:
        >>> bounds("fig2_right.successes(128) %"), bounds("fig2_right.accuracy_change %")
        ((0.0, 1.0), (-inf, inf))
    """
    match = QUANTITY.fullmatch(text.strip())
    return (0.0, 1.0) if match is not None and match["name"] in SHARES else (-math.inf, math.inf)


def interval(text: str, source: Source) -> str:
    """The 95 % interval of a quantity, cut at its bounds, and the number of models.

    Raises:
        ValueError: the text is not understood, or there is no such quantity.

    Example:
        >>> interval("cc_attacks.badnets_before", registry.results("demo"))
        '0.86 to 1.00, 4 models'
    """
    estimate, scale, form = quantity(text, source)
    if estimate is None:
        return MISSING
    if estimate.n == 1:
        return "one model"
    least, most = bounds(text)
    low, high = (printed(scale * v, form) for v in (max(estimate.low, least), min(estimate.high, most)))
    return f"{low} to {high}, {estimate.n} models"


def written(text: str, source: Source) -> str:
    """A text with its numbers and verdicts in place.

    Raises:
        ValueError: a role asks for a quantity or a claim that does not exist.

    Example:
        >>> written("Before cleaning {measured}`cc_attacks.badnets_before %` % succeed.", registry.results("demo"))
        'Before cleaning 95 % succeed.'
    """

    def said(match: re.Match[str]) -> str:
        asked = " ".join(match["text"].split())
        if match["role"] == "verdict":
            return claims.judge(claims.get(asked), source).verdict
        return (measured if match["role"] == "measured" else interval)(asked, source)

    return " ".join(ROLE.sub(said, text).split())
