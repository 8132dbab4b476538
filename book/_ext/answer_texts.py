"""The sentences of `answers.yml`: under which verdicts each is true, and its numbers.

Where the records say something else, another version of the sentence is taken; if the file has none that is true, there
is an error, and the build stops.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import records
import yaml

from tutorial_lib.evidence import claims, quantities, registry
from tutorial_lib.evidence.results import Results
from tutorial_lib.evidence.statistics import Estimate
from tutorial_lib.profiles import Profile

PATH = Path(__file__).resolve().parents[1] / "answers.yml"

PLACE = re.compile(r"\{[^{}]*\}")
YEAR = re.compile(r"\b(?:19|20)\d\d\b")
#: Numbers that a sentence may not spell out either: they, too, belong to the records.
SPELLED = re.compile(
    r"\b(?:three|four|five|six|seven|eight|nine|ten|eleven|twelve|sixteen|twenty|thirty|forty|fifty|eighty|ninety|"
    r"hundreds?|thousands?|millions?|half|thirds?|quarters?|fifths?|tenths?)\b",
    re.I,
)
CLAIM = re.compile(r"(?P<claim>\w+)\s*(?P<unit>%)?\s*(?P<format>\+?\.\d[fg])?")
SETTING = re.compile(r"(?P<module>\w+)\.(?P<path>\w+(?:\.\w+)*)(?P<indices>(?:\[[^\]]+\])*)")

#: How a claim is told that no sentence speaks of, by its verdict.
TOLD = {
    "holds": "It holds in our models that",
    "fails": "It fails in our models that",
    "undecided": "Our models leave open whether",
    "not seen": "Our models do not show that",
    "not applicable here": "Our models do not meet the conditions for judging whether",
    "not applicable at this scale": "Models of this size cannot say whether",
    "not run": "Not run yet is whether",
}


class AnswerError(ValueError):
    """An entry of answers.yml is not well formed, or its sentences do not fit the records."""


def reference(experiment: str) -> Results:
    """The records of an experiment that answers rest on: those that the pages show."""
    registry.load(experiment)
    return records.source().behind(experiment)


# -- numbers


@dataclass(frozen=True)
class Number:
    """A number of a sentence: `{x}` is its mean, `{x.low}` and `{x.high}` its interval, `{x.models}` their count."""

    text: str
    experiment: str
    estimate: Estimate
    scale: float
    form: str

    def __format__(self, spec: str) -> str:
        """With its sign, or without it for `{x:abs}`."""
        if spec == "abs":
            return quantities.printed(abs(self.mean), self.form.removeprefix("+"))
        return quantities.printed(self.mean, spec or self.form)

    @property
    def mean(self) -> float:
        return self.scale * self.estimate.value

    @property
    def low(self) -> Part:
        return Part(self.scale * max(self.estimate.low, quantities.bounds(self.text)[0]), self.form)

    @property
    def high(self) -> Part:
        return Part(self.scale * min(self.estimate.high, quantities.bounds(self.text)[1]), self.form)

    @property
    def models(self) -> int:
        return self.estimate.n

    @property
    def hits(self) -> int:
        """Of a share of models, how many they are."""
        return round(self.estimate.value * self.estimate.n)


@dataclass(frozen=True)
class Part:
    """An end of an interval."""

    mean: float
    form: str

    def __format__(self, spec: str) -> str:
        return quantities.printed(self.mean, spec or self.form)


def number(text: str) -> Number | None:
    """The number of a quantity, `fig2_right.successes(128) %`, or of a claim, `backdoor_rises %`.

    Returns:
        `None` where the reference records have none, or their profile has no such setting.

    Raises:
        ValueError: there is no such quantity or claim.
    """
    if found := CLAIM.fullmatch(text.strip()):
        claim = claims.get(found["claim"])
        estimate = claims.judge(claim, reference(claim.experiment)).estimate
        scale, experiment = 100.0 if found["unit"] else 1.0, claim.experiment
        form = found["format"] or (".0f" if found["unit"] else ".2f")
    else:
        experiment = text.split(".")[0].strip()
        try:
            estimate, scale, form = quantities.quantity(text, reference(experiment))
        except KeyError:
            return None
    return None if estimate is None else Number(" ".join(text.split()), experiment, estimate, scale, form)


def setting(text: str) -> Any:
    """What the reference profile of an experiment sets: `fig4.profile.counts[-1]`, or `cc_stealth.STRENGTHS[0]`.

    Raises:
        AnswerError: the text is not understood.
    """
    found = SETTING.fullmatch(text.strip())
    if found is None:
        raise AnswerError(f"{text!r} is not experiment.NAME[index] or experiment.profile.field[index]")
    module, profile = registry.load(found["module"]), reference(found["module"]).profile
    first, *rest = found["path"].split(".")
    value: Any = profile if first == "profile" else _of_profile(getattr(module, first), profile)
    for name in rest:
        value = getattr(value, name)
    for index in re.findall(r"\[([^\]]+)\]", found["indices"]):
        value = value[ast.literal_eval(index)]
    return value


def _of_profile(value: Any, profile: Profile) -> Any:
    if isinstance(value, int | float):  # the same in every profile
        return value
    return value(profile) if callable(value) else value[profile]


# -- sentences


@dataclass(frozen=True)
class Sentence:
    """A sentence and where it is true.

    Attributes:
        say: the sentence, MyST text, with `{names}` in place of numbers.
        when: verdicts of claims under which it is true.
        where: a comparison of numbers that has to be true, "few < many and many > 90".
    """

    say: str
    when: Mapping[str, tuple[str, ...]]
    where: str = ""

    def names(self) -> list[str]:
        """The names between braces and in the comparison."""
        inside = [re.split(r"[.:\[]", place[1:-1])[0] for place in PLACE.findall(self.say)]
        compared = [n.id for n in ast.walk(ast.parse(self.where or "True")) if isinstance(n, ast.Name)]
        return list(dict.fromkeys([*inside, *compared]))


@dataclass(frozen=True)
class Answer:
    """The question of a page, and its answer.

    Attributes:
        sentences: of each, the versions that the file has; the first one that is true is shown.
        numbers: text of a quantity or a claim by name.
        values: settings and constants by name.
        asks: further claims, told by their verdicts.
        unknown: what no record can say.
        shows: a claim that the page of all answers draws.
        see: where to look, MyST text.
    """

    key: str
    page: str
    question: str
    sentences: tuple[tuple[Sentence, ...], ...]
    numbers: Mapping[str, str]
    values: Mapping[str, Any]
    asks: tuple[str, ...]
    unknown: Sentence
    shows: str
    see: str

    def not_known(self) -> str:
        """What no record can say, with the constants and settings in place."""
        return self.unknown.say.format(**self.values)

    def rests_on(self) -> list[str]:
        """The claims that it looks at, each once."""
        named = [claim for versions in self.sentences for s in versions for claim in s.when]
        return list(dict.fromkeys([*named, *self.asks]))


def load(path: Path = PATH) -> dict[str, Answer]:
    """All answers by key, in the order of the file.

    Raises:
        AnswerError: an entry lacks a field or has one too many; a sentence has a number that was typed, a name that
            means nothing, or a number and no condition; a constant has no source.
    """
    file = yaml.safe_load(path.read_text(encoding="utf-8"))
    for name, constant in file["constants"].items():
        if set(constant) != {"say", "source"}:
            raise AnswerError(f"the constant {name!r} needs `say` and `source`")
    constants = {name: constant["say"] for name, constant in file["constants"].items()}
    return {key: _answer(key, dict(entry), constants) for key, entry in file["answers"].items()}


def _answer(key: str, entry: dict[str, Any], constants: Mapping[str, str]) -> Answer:
    try:
        sentences = tuple(_versions(key, s) for s in entry.pop("answer"))
        values = dict(constants) | {name: setting(text) for name, text in entry.pop("settings", {}).items()}
        answer = Answer(
            key,
            page=entry.pop("page", key),
            question=entry.pop("question"),
            sentences=sentences,
            numbers={name: text.format(**values) for name, text in entry.pop("numbers", {}).items()},
            values=values,
            asks=tuple(entry.pop("asks", ())),
            unknown=Sentence(" ".join(entry.pop("unknown").split()), {}),
            shows=entry.pop("shows", ""),
            see=" ".join(entry.pop("see", "").split()),
        )
    except KeyError as error:
        raise AnswerError(f"the answer {key!r} lacks {error}") from error
    if entry:
        raise AnswerError(f"the answer {key!r} has unknown fields: {', '.join(entry)}")
    _check(answer)
    return answer


def _versions(key: str, entry: Any) -> tuple[Sentence, ...]:
    found = []
    for version in entry if isinstance(entry, list) else [entry]:
        version = {"say": version} if isinstance(version, str) else version
        if unknown := set(version) - {"say", "when", "where"}:
            raise AnswerError(f"a sentence of the answer {key!r} has unknown fields: {', '.join(sorted(unknown))}")
        when = {c: (v,) if isinstance(v, str) else tuple(v) for c, v in version.get("when", {}).items()}
        found.append(Sentence(" ".join(version["say"].split()), when, version.get("where", "")))
    return tuple(found)


def _check(answer: Answer) -> None:
    versions = [s for group in answer.sentences for s in group]
    for text in (answer.question, answer.unknown.say, *(s.say for s in versions)):
        left = YEAR.sub("", PLACE.sub("", text))
        if typed := re.search(r"\d", left) or (text != answer.question and SPELLED.search(left)):
            raise AnswerError(f"the answer {answer.key!r} has a number that was typed, {typed[0]!r}: {text}")
    for sentence in (*versions, answer.unknown):
        if lost := [n for n in sentence.names() if n not in answer.numbers and n not in answer.values]:
            raise AnswerError(f"the answer {answer.key!r} has no number {lost[0]!r}: {sentence.say}")
        measured = [n for n in sentence.names() if n in answer.numbers]
        if measured and not sentence.when and not sentence.where:
            raise AnswerError(f"the answer {answer.key!r} has numbers and no condition: {sentence.say}")
        for claim, allowed in sentence.when.items():
            claims.get(claim)
            if wrong := set(allowed) - set(claims.WORDS):
                raise AnswerError(f"the answer {answer.key!r} asks for a verdict that does not exist: {wrong}")
    for claim in (*answer.asks, *([answer.shows] if answer.shows else [])):
        claims.get(claim)


Verdicts = Callable[[str], str]


def verdict_of(claim: str) -> str:
    """The word of a claim in the reference records."""
    return judged(claim).verdict


def judged(claim: str) -> claims.Verdict:
    found = claims.get(claim)
    return claims.judge(found, reference(found.experiment))


def texts(answer: Answer, verdict: Verdicts = verdict_of) -> list[str]:
    """The sentences that are true, with their numbers.

    Args:
        verdict: gives the word of a claim.

    Raises:
        AnswerError: the file has no version of a sentence that is true.
    """
    numbers = {name: number(text) for name, text in answer.numbers.items()}
    return [_first_true(answer, versions, numbers, verdict) for versions in answer.sentences]


def _first_true(
    answer: Answer, versions: tuple[Sentence, ...], numbers: Mapping[str, Number | None], verdict: Verdicts
) -> str:
    refused = []
    for sentence in versions:
        wrong = [f"{c} is {verdict(c)!r} now" for c, allowed in sentence.when.items() if verdict(c) not in allowed]
        wrong += [f"{n} has no records" for n in sentence.names() if n in numbers and numbers[n] is None]
        if not wrong and sentence.where and not _true(sentence.where, answer.values | numbers):
            wrong.append(f"{sentence.where!r} is not true now")
        if not wrong:
            return re.sub(r"(?<=\d)%", " %", sentence.say.format(**answer.values, **numbers))
        refused.append(f"{sentence.say!r}: {'; '.join(wrong)}")
    raise AnswerError(f"no sentence of the answer {answer.key!r} is true:\n" + "\n".join(refused))


COMPARE = {ast.Lt: operator.lt, ast.Gt: operator.gt, ast.LtE: operator.le, ast.GtE: operator.ge}


def _true(text: str, names: Mapping[str, Any]) -> bool:
    """Whether comparisons of numbers are true."""

    def value(node: ast.expr) -> float:
        if isinstance(node, ast.BinOp):
            step = {ast.Add: operator.add, ast.Sub: operator.sub}[type(node.op)]
            return step(value(node.left), value(node.right))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            return getattr(names[node.value.id], node.attr).mean
        if isinstance(node, ast.Name):
            found = names[node.id]
            return found.mean if isinstance(found, Number) else float(found)
        return float(ast.literal_eval(node))

    def holds(node: ast.expr) -> bool:
        if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.And):
            return all(map(holds, node.values))
        if not isinstance(node, ast.Compare):
            raise AnswerError(f"{text!r} is no comparison of numbers")
        chain = [value(part) for part in (node.left, *node.comparators)]
        return all(COMPARE[type(op)](a, b) for op, a, b in zip(node.ops, chain, chain[1:], strict=False))

    return holds(ast.parse(text, mode="eval").body)


def open_ends(answer: Answer, verdict: Verdicts = verdict_of) -> list[str]:
    """What the claims say that no sentence speaks of, by verdict, in words."""
    found: dict[str, list[str]] = {}
    for claim in answer.asks:
        found.setdefault(verdict(claim), []).append(claims.get(claim).says)
    return [f"{told} {f'; {told.split()[-1]} '.join(found[word])}." for word, told in TOLD.items() if word in found]


def get(key: str) -> Answer:
    """The answer of a page.

    Raises:
        AnswerError: there is none.
    """
    found = load()
    if key not in found:
        raise AnswerError(f"there is no answer {key!r}; there are {', '.join(found)}")
    return found[key]
