"""Exercises: stubs are derived from their solutions and fail, solutions pass, and known mistakes get their sentence."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest

from tutorial_lib.course import chapters, checks, exercises
from tutorial_lib.course.exercises import Exercise, find, renewed, stub_of

CHAPTERS = {path.stem: path for path in chapters.chapters()}
CAPSTONE = "capstone"  # its exercises need its model: the build runs them, and tests/book looks at what they said
NOT_NEEDED = {"umap", "myst_nb"}  # slow to import, or of a notebook only


def namespace(text: str) -> dict[str, Any]:
    """What the chapter imports: all that its exercises may use."""
    names: dict[str, Any] = {}
    for cell in exercises._CELL.finditer(text):
        for node in ast.parse(cell["code"]).body:
            if isinstance(node, ast.Import | ast.ImportFrom):
                package = (node.module or "") if isinstance(node, ast.ImportFrom) else node.names[0].name
                if package.split(".")[0] not in NOT_NEEDED:
                    exec(ast.unparse(node), names)
    return names


def run(code: str, names: dict[str, Any]) -> checks.Feedback:
    """The value of the cell's last line, which calls the check."""
    *body, last = ast.parse(code).body
    assert isinstance(last, ast.Expr)
    names = dict(names)
    exec(compile(ast.Module(body, []), "cell", "exec"), names)
    return eval(compile(ast.Expression(last.value), "cell", "eval"), names)


def chapter(name: str) -> tuple[dict[str, Any], list[Exercise]]:
    text = CHAPTERS[name].read_text()
    return namespace(text), list(find(text))


@pytest.mark.parametrize("path", CHAPTERS.values(), ids=lambda p: p.stem)
def test_stubs_are_derived_from_solutions(path: Path) -> None:
    text = path.read_text()
    assert renewed(text) == text, f"python -m tutorial_lib.course.exercises {path}"


@pytest.mark.parametrize("path", CHAPTERS.values(), ids=lambda p: p.stem)
def test_a_chapter_has_three_to_six_exercises(path: Path) -> None:
    assert 3 <= len(list(find(path.read_text()))) <= 6


@pytest.mark.parametrize("path", [p for p in CHAPTERS.values() if p.stem != CAPSTONE], ids=lambda p: p.stem)
def test_stubs_fail_and_solutions_pass(path: Path) -> None:
    text = path.read_text()
    names = namespace(text)
    for exercise in find(text):
        before, after = run(exercise.stub, names), run(exercise.solution, names)
        assert not before.right
        assert "replace the three dots" in before.sentence or "returns nothing" in before.sentence
        assert after.right, after
        assert str(after).startswith("Right. ")


@pytest.mark.parametrize("path", CHAPTERS.values(), ids=lambda p: p.stem)
def test_each_exercise_has_its_parts(path: Path) -> None:
    text = path.read_text()
    labels = re.findall(r"^```\{exercise-start\} \S.*\n:label: (ex-[\w-]+)$", text, re.M)
    assert len(labels) == len(list(find(text)))
    assert re.findall(r"^```\{solution-start\} (ex-[\w-]+)\n:class: dropdown$", text, re.M) == labels
    for part in text.split("```{exercise-start}")[1:]:
        part = part.split("```{solution-start}")[0]
        assert re.search(r"^\*(Easy|Medium|Harder), \d+ minutes\.\*", part, re.M)
        assert ":::{dropdown} Hint" in part


#: Chapter, position, what is changed in the solution, into what, and what the check says about it.
MISTAKES = [
    ("contrastive_learning", 0, "return F", "return -F", "the sign is wrong"),
    ("contrastive_learning", 0, "scores, torch", "scores.T, torch", "over the keys of each query"),
    ("contrastive_learning", 0, "len(scores)))", "len(scores)), reduction='sum')", "take the mean"),
    ("contrastive_learning", 0, "logit_scale * queries", "queries", "not multiplied by logit_scale"),
    ("contrastive_learning", 0, "logit_scale * queries", "queries / logit_scale", "1 / τ already"),
    ("contrastive_learning", 0, "len(scores)))", "len(scores)), reduction='none')", "one number is asked for"),
    (
        "contrastive_learning",
        0,
        "return F.cross_entropy(scores, torch.arange(len(scores)))",
        "return queries @ keys",
        "RuntimeError in line 4",
    ),
    (
        "contrastive_learning",
        0,
        "F.cross_entropy(scores",
        "-(scores.exp() / scores.exp().sum(1, keepdim=True)).diagonal().log().mean()  # (",
        "are large numbers exponentiated",
    ),
    ("contrastive_learning", 1, "/ len(scores)", "", "a factor 1 / B"),
    ("contrastive_learning", 1, " - right", "", "has to be subtracted"),
    ("contrastive_learning", 2, " / partner.sum(1)", "", "take their mean"),
    ("clip_from_scratch", 0, "(rows + columns) / 2", "rows", "only pictures look"),
    ("clip_from_scratch", 0, ") / 2", ")", "takes their mean"),
    ("clip_from_scratch", 0, "image @ text.T, torch", "F.normalize(image, dim=-1) @ text.T, torch", "once more inside"),
    ("clip_from_scratch", 1, "F.normalize(prompts.mean(1), dim=-1)", "prompts.mean(1)", "shorter than one"),
    ("clip_from_scratch", 1, "dim=-1", "dim=0", "over the classes"),
    ("clip_from_scratch", 2, ".any(1)", "[:, 0]", "accuracy of the first answer"),
    ("clip_from_scratch", 2, ".any(1)", "", "is divided by k"),
    ("clip_from_scratch", 2, ".float().mean()", ".sum()", "a share is asked for"),
    ("targeted_poisoning", 0, r"(?<!\w){re.escape(word)}(?!\w)", "{word}", "a part of a longer word"),
    ("targeted_poisoning", 0, ", re.IGNORECASE", "", "case and commas"),
    ("targeted_poisoning", 0, "re.escape(word)", "word", "escape it"),
    ("targeted_poisoning", 1, "poisons / (clean + poisons)", "poisons / clean", "the whole is larger"),
    ("targeted_poisoning", 1, "poisons / (clean", "100 * poisons / (clean", "a percentage"),
    ("targeted_poisoning", 2, "poisoned == wanted", "poisoned == wanted[0]", "the result is"),
    ("targeted_poisoning", 2, "[fair]", "", "only those that the clean model"),
    ("targeted_poisoning", 2, "poisoned == wanted", "poisoned != true", "the attacker wants one class"),
    ("targeted_poisoning", 2, "math.nan", "0.0", "undefined"),
    ("removing_copies", 0, "!=", "==", "count those that differ"),
    ("removing_copies", 0, ".sum(2)", ".float().mean(2)", "their number is asked for"),
    ("removing_copies", 0, "!=", "&", "set in both"),
    ("removing_copies", 1, "apart[k, stays]", "apart[k, :k]", "compare with the kept ones only"),
    ("removing_copies", 1, "> tolerance", ">= tolerance", "still count as a copy"),
    ("removing_copies", 1, "(apart[k, stays] > tolerance)", "(apart[k] > tolerance)", "nothing stays"),
    ("removing_copies", 1, "return stays", "return ~stays", "of those that go"),
    ("removing_copies", 1, "return stays", "return stays.float()", "a tensor of bool"),
    ("removing_copies", 2, "<= budget", "< budget", "just the budget"),
    ("removing_copies", 2, "1 - k <= budget", "k >= budget", "may be lost"),
    ("removing_copies", 2, "max(fits, default=None)", "min(fits, default=None)", "0 is the smallest"),
    ("removing_copies", 2, "default=None", "default=0", "none is chosen"),
    ("backdoors", 0, "255 * ", "", "of bytes, white is 255"),
    ("backdoors", 0, ".clone()", "", "work on a copy"),
    ("backdoors", 0, "// cell", "", "one pixel wide"),
    ("backdoors", 0, "margin : margin + size, margin : margin + size", ":size, :size", "ignores the margin"),
    ("backdoors", 0, "cells[None]) % 2", "cells[None] + 1) % 2", "are exchanged"),
    ("backdoors", 1, "predicted[others]", "predicted", "right without any attack"),
    ("backdoors", 1, "== target", "!= true[others]", "the attacker wants one class"),
    ("backdoors", 1, "(predicted[others] == target)", "(predicted == true)", "a published defect"),
    ("backdoors", 2, "+ z**2 / (4 * n**2)", "", "entry"),
    ("backdoors", 2, ", 1 + z**2 / n", ", 1", "not divided by"),
    ("zscore", 0, " - n)", ")", "still in the sum"),
    ("zscore", 0, "(n * (n - 1))", "n**2", "still counted below"),
    ("zscore", 0, "/ (n * (n - 1))", "", "take the mean"),
    ("zscore", 0, "embeddings.sum(0).square().sum()", "(embeddings @ embeddings.T).sum()", "all pairs are formed"),
    ("zscore", 1, "offset=1", "offset=0", "the result is"),
    ("zscore", 1, ".std(unbiased=False)", ".var(unbiased=False)", "divided by the variance"),
    (
        "zscore",
        1,
        "similarities(triggered).mean() - base.mean()",
        "base.mean() - similarities(triggered).mean()",
        "the sign is wrong",
    ),
    ("zscore", 2, "1 - similar.mean()", "1", "has to be subtracted first"),
    ("zscore", 2, ".std(", ".var(", "not by the variance"),
    ("what_makes_it_work", 0, "stats.t.ppf(0.975, len(d) - 1)", "1.959964", "Student's t"),
    ("what_makes_it_work", 0, " / len(d) ** 0.5", "", "smaller by √n"),
    ("what_makes_it_work", 0, "ddof=1", "ddof=0", "n − 1 below the line"),
    (
        "what_makes_it_work",
        1,
        'return "fails" if high < -margin else "undecided"',
        'return "fails"',
        "undecided, not 'fails'",
    ),
    ("what_makes_it_work", 1, "low >= -margin", "low > -margin", "just reaches"),
    ("what_makes_it_work", 1, '"holds"\n', '"Holds"\n', "one of the words"),
    ("what_makes_it_work", 1, "low >= -margin", "low >= 0", "that it may be below 0 does not matter"),
    ("what_makes_it_work", 2, "2.8 * d.std", "1.96 * d.std", "chance of one half"),
    ("what_makes_it_work", 2, "ddof=1", "ddof=0", "n − 1 below the line"),
    ("what_makes_it_work", 2, "math.ceil", "math.floor", "round up"),
    ("what_makes_it_work", 2, " ** 2", "", "is its square"),
    ("size_and_tower", 0, ".rstrip('.')", "", "a full stop at the end goes|only a full stop"),
    ("size_and_tower", 0, ".rstrip('.')", ".replace('.', '')", "only a full stop at the end"),
    ("size_and_tower", 0, "} {word}", "}{word}", "one space"),
    ("size_and_tower", 1, "-2.0", "0.0", "a class without pictures"),
    ("size_and_tower", 1, "(centre / centre.norm())", "centre", "normalise the mean"),
    ("size_and_tower", 1, ".argmax(1)", ".argmin(1)", "texts are read as another class"),
    ("size_and_tower", 2, "read[others] == target", "read == target", "is counted"),
    ("size_and_tower", 2, "(with_word, without)\n    )", "(without, with_word)\n    )", "are exchanged"),
    ("low_success", 0, "max(0, last - first)", "(last - first)", "never negative|beside it"),
    ("low_success", 0, "max(start, margin)", "start", "holds the whole patch|are left|you say"),
    ("low_success", 0, "min(start + length, margin + size)", "(margin + size)", "the box ends within"),
    (
        "low_success",
        1,
        "cell * side / height, cell * side / width",
        "cell * height / side, cell * width / side",
        "divide by",
    ),
    (
        "low_success",
        1,
        "cell * side / height, cell * side / width",
        "cell * side / width, cell * side / height",
        "exchanged",
    ),
    ("low_success", 2, ".double().mean()", ".sum()", "a share is asked for"),
    ("low_success", 2, "(top <= margin) & (left <= margin)", "(top < margin) & (left < margin)", "compare with ≤"),
    ("low_success", 2, "    inside &= left + width >= margin + size\n", "", "result is|far edges"),
    ("stealthier_triggers", 0, ".round()", "", "cut off instead of rounded"),
    ("stealthier_triggers", 0, "(1 - alpha) * images", "images", "the result"),
    ("stealthier_triggers", 0, ".to(torch.uint8)", "", "is uint8"),
    ("stealthier_triggers", 1, "x.double() - y.double()", "(x - y).double()", "wrap around"),
    ("stealthier_triggers", 1, "10 * math", "20 * math", "a power already"),
    ("stealthier_triggers", 1, " if error else math.inf", " if error else 0.0", "infinite"),
    ("stealthier_triggers", 2, r"s?\b", "", "whole word"),
    ("stealthier_triggers", 2, "[:count]", "", "no more than `count`"),
    ("stealthier_triggers", 2, "[:count]", "[-count:]", "no more than `count`|positions are"),
    ("cleanclip", 1, "lambda_self * (pictures", "(pictures", "weight of the in-modal part"),
    ("cleanclip", 1, " / 2", "", "not their sum"),
    ("cleanclip", 2, "kept[-1] if kept else -1", "after.index(max(after))", "most accurate"),
    ("cleanclip", 2, "if kept else -1", "if kept else 0", "keep the model"),
    ("cleanclip", 2, "before - margin - 1e-9", "0.45 - 1e-9", "setting"),
    ("cleanclip", 2, "accuracy >= least", "abs(before - accuracy) <= margin", "setting"),
    ("cleanclip", 0, "draw.sample(range(len(words)), 2)", "0, 1", "possible captions occur"),
    ("cleanclip", 0, "words[i], words[j] = words[j], words[i]", "words[i] = words[j]", "lose none"),
    (
        "cleanclip",
        0,
        "draw.sample(range(len(words)), 2)",
        "draw.randrange(len(words)), draw.randrange(len(words))",
        "two different",
    ),
    ("what_cleaning_removes", 0, "    said, true = said[others], true[others]\n", "", "are counted"),
    ("what_cleaning_removes", 0, "hit, right, 1", "right, hit, 1", "in this order"),
    ("what_cleaning_removes", 0, "1 - hit - right", "1 - hit", "less the two others"),
    (
        "what_cleaning_removes",
        1,
        "F.normalize(clean, dim=1), F.normalize(triggered, dim=1)",
        "clean, triggered",
        "length 1",
    ),
    ("what_cleaning_removes", 1, ".norm(dim=1).mean()", ".norm()", "one norm of the whole matrix"),
    ("what_cleaning_removes", 1, "(a - b).norm(dim=1)", "(a * b).sum(1)", "that is the cosine"),
    ("what_cleaning_removes", 2, "(n * (n - 1))", "n**2", "is no pair"),
    ("what_cleaning_removes", 2, "torch.cdist(clean, clean)", "torch.cdist(triggered, triggered)", "two \\*clean"),
    ("what_cleaning_removes", 2, " / usual", "", "the distance itself"),
    ("when_cleaning_works", 0, "(pairs // batch_size) * batch_size", "pairs", "is not full"),
    ("when_cleaning_works", 0, "return epochs *", "return", "that is one epoch"),
    ("when_cleaning_works", 0, "return epochs *", "return 100 * epochs *", "not a percentage"),
    ("when_cleaning_works", 1, "success < kept[-1][1]", "success <= kept[-1][1]", "two are equal|beats"),
    ("when_cleaning_works", 1, "success < kept[-1][1]", "success > kept[-1][1]", "beats"),
    ("when_cleaning_works", 1, "    return kept\n", "    return kept[::-1]\n", "by falling accuracy"),
    ("when_cleaning_works", 1, "    return kept\n", "    return kept[:1]\n", "you drop"),
    ("when_cleaning_works", 2, "reversed(points)", "points", "ascending|the answer is nan"),
    ("when_cleaning_works", 2, ", left=np.nan, right=np.nan", "", "no setting has an accuracy"),
    ("safer_training", 0, ".argmax(1)", ".argmin(1)", "fits worst"),
    ("safer_training", 0, ".argmax(1)", ".max(1).values", "these are cosines"),
    ("safer_training", 0, "pool.T", "pool[: len(images)].T", "search the whole pool"),
    ("safer_training", 1, "return high /", "return low /", "the other Gaussian"),
    ("safer_training", 1, "w / d", "1 / d", "the weights are missing"),
    ("safer_training", 1, "w / d", "w", "divide by its deviation"),
    ("safer_training", 1, " / (low + high)", " / (2 * torch.pi) ** 0.5", "this is a density"),
    ("safer_training", 2, ".square().sum(1)", ".norm(dim=1)", "not its square"),
    ("safer_training", 2, ".square().sum(1)", ".square()", "add up the squares"),
    ("safer_training", 2, ".mean()", ".sum()", "a sum over the batch"),
    ("safer_training", 2, "distance if distance <= tau else 0.0", "-distance", "the sign is wrong"),
    ("safer_training", 2, "distance if distance <= tau else 0.0", "distance", "beyond tau nothing pushes"),
    ("safer_training", 2, "distance if distance <= tau else 0.0", "min(float(distance), tau)", "not tau"),
    ("does_it_hold", 0, " + 1) / 2", ")", "add 1 and halve"),
    ("does_it_hold", 0, " + 1) / 2", " + 1)", "halve it"),
    ("does_it_hold", 0, "max(0, success[0] - success[1])", "success[0] - success[1]", "a rise counts as no drop"),
    ("does_it_hold", 0, "removed - lost", "removed", "the price is missing"),
    ("does_it_hold", 0, "removed - lost", "removed + lost", "taken off"),
    ("does_it_hold", 1, "if step < warm:", "if step < 0:", "the warm-up is skipped|at step"),
    ("does_it_hold", 1, "(step + 1) / warm", "step / warm", "teaches nothing"),
    ("does_it_hold", 2, "x, y = x - x.mean(0), y - y.mean(0)", "pass", "not centred"),
    ("does_it_hold", 2, ".square().sum() / (", ".norm() / (", "squared norm"),
    ("finding_poisons", 0, "[reference, torch.arange(len(reference))] = math.inf", "= distances", "its own nearest"),
    ("finding_poisons", 0, "values[:, -1]", "values[:, 0]", "not the k-th"),
    ("finding_poisons", 0, "values[:, -1]", "values.mean(1)", "the mean of the k"),
    ("finding_poisons", 1, "distances[:, -1:] / theirs", "theirs / distances[:, -1:]", "upside down"),
    (
        "finding_poisons",
        1,
        "(distances[:, -1:] / theirs).mean(1)",
        "distances[:, -1] / theirs.mean(1)",
        "ratio of means",
    ),
    ("finding_poisons", 1, "distances[:, -1:] / theirs", "distances[:, -1:] / distances", "of the point itself"),
    ("finding_poisons", 2, "descending=True", "descending=False", "least suspicious"),
    (
        "finding_poisons",
        2,
        "hits / len(first), hits / poison.sum().item()",
        "hits / poison.sum().item(), hits / len(first)",
        "are exchanged",
    ),
    ("finding_poisons", 2, "hits / len(first)", "hits / len(scores)", "length of the list"),
    ("finding_poisons", 2, "hits / poison.sum().item()", "hits / len(scores)", "not of all pairs"),
    ("finding_poisons", 3, "stats.binom.sf(k,", "stats.binom.cdf(k,", "k or fewer"),
    ("finding_poisons", 3, "stats.binom.sf(k,", "stats.binom.sf(k - 1,", "with itself"),
    ("finding_poisons", 3, "stats.binom.sf(k, reference, rate)", "rate * reference", "a chance is asked for"),
    ("auditing_a_checkpoint", 0, "255 * mask", "mask", "the pattern is too dark"),
    ("auditing_a_checkpoint", 0, " * (1 - mask)", "", "shines through"),
    (
        "auditing_a_checkpoint",
        0,
        "images.float() * (1 - mask) + 255 * mask * pattern",
        "(images.float() * (1 - mask) + 255 * mask * pattern).detach()",
        "no gradient",
    ),
    ("auditing_a_checkpoint", 1, "counts[1] - counts[0]", "counts[1]", "common without the patch"),
    ("auditing_a_checkpoint", 1, " / len(before)", "", "not a number of pictures"),
    ("auditing_a_checkpoint", 1, "float(gain.max())", "-float(gain.max())", "the sign is wrong"),
    ("auditing_a_checkpoint", 2, "len(clean) - 1 - above", "-1", "even fewer lie above"),
    ("auditing_a_checkpoint", 2, "len(clean) - 1 - above", "0", "clean models lie above"),
    ("auditing_a_checkpoint", 3, "(1.4826 * away", "(1.0 * away", "multiply it by 1.4826"),
    ("auditing_a_checkpoint", 3, "1.4826 * away.abs().median()", "values.std()", "result differs"),
    ("auditing_a_checkpoint", 3, "return away /", "return away.abs() /", "keep the sign"),
]


def test_every_chapter_has_known_mistakes() -> None:
    assert {name for name, *_ in MISTAKES} == set(CHAPTERS) - {CAPSTONE}, "MISTAKES has a line for each chapter"


@pytest.mark.parametrize(("name", "position", "old", "new", "says"), MISTAKES)
def test_a_known_mistake_gets_its_sentence(name: str, position: int, old: str, new: str, says: str) -> None:
    names, found = chapter(name)
    solution = found[position].solution
    assert old in solution
    feedback = run(solution.replace(old, new, 1), names)
    assert not feedback.right
    assert re.search(says, feedback.sentence), feedback.sentence
    assert str(feedback).startswith("Not yet: ")
    assert feedback._repr_html_().startswith('<p class="check"><strong>Not yet:</strong>')


@pytest.mark.parametrize(
    ("name", "position", "old", "new"),
    [
        ("zscore", 1, "base.std(unbiased=False)", "base.std()"),
        ("zscore", 2, "similar.std(unbiased=False)", "similar.std()"),
        ("contrastive_learning", 1, ") / len(scores)", ").numpy() / len(scores)"),
        ("backdoors", 2, "middle - half, middle + half", "[middle - half, middle + half]"),
        ("what_makes_it_work", 0, "stats.t.ppf(0.975, len(d) - 1)", "3.182"),
    ],
)
def test_another_right_answer_is_accepted(name: str, position: int, old: str, new: str) -> None:
    names, found = chapter(name)
    solution = found[position].solution
    assert old in solution
    feedback = run(solution.replace(old, new, 1), names)
    assert feedback.right, feedback


def test_every_check_is_asked_for_in_a_chapter() -> None:
    text = "".join(path.read_text() for path in (*CHAPTERS.values(), chapters.places.book() / "prerequisites.md"))
    for name in set(checks.__all__) - {"Feedback", "unseal"}:
        assert f"checks.{name}(" in text, name


def test_a_stub_keeps_signature_docstring_and_calls() -> None:
    solution = 'import math\n\ndef f(x):\n    """What is asked for."""\n    y = x\n    return y\n\ncheck(f)\n'
    expected = 'import math\n\ndef f(x):\n    """What is asked for."""\n    ...  # your code\n\ncheck(f)\n'
    assert stub_of(solution) == expected


@pytest.mark.parametrize(("code", "says"), [("x = 1\n", "needs a function"), ("def f():\n    return 1\n", "docstring")])
def test_what_is_no_solution_is_refused(code: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        stub_of(code)


@pytest.mark.parametrize("tags", [["stub"], ["solution"], ["stub", "stub", "solution"]])
def test_stubs_and_solutions_come_in_pairs(tags: list[str]) -> None:
    text = "".join(f"```{{code-cell}} ipython3\n:tags: [{tag}]\n\nx\n```\n" for tag in tags)
    with pytest.raises(ValueError, match="without a"):
        list(find(text))


def test_the_command_writes_stubs_anew(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "chapter.md"
    text = CHAPTERS["contrastive_learning"].read_text()
    first = next(iter(find(text)))
    path.write_text(text.replace(first.stub, "def old():\n    ...\n"))
    exercises.main([str(path)])
    assert path.read_text() == text
    assert "derived anew" in capsys.readouterr().out
    exercises.main([str(path)])
    assert not capsys.readouterr().out
