"""What of a chapter stands on its slides, and what does not."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from tests.book import site

slides, answers, run_outputs = (site.extension(name) for name in ("slides", "answers", "run_outputs"))
CHAPTER = """\
# A title

*Who asks?*

In this chapter we look. At the end you will be able to

- say what a rate is,
- read `code`.

Reading takes about 5 minutes.

```{code-cell} ipython3
:tags: [hide-input, parameters]

target = "banana"
```

## A section

A first sentence with $x_i$. **A lead.** It says more. {numref}`fig-a` has {glue:text}`share:.1f` % of them.

*Predict, then run:* the share is {glue:text}`share:.1f`. How many are called {glue:text}`target`?
{numref}`fig-a` knows.

```{code-cell} ipython3
print(1 < 2)
```

```{code-cell} ipython3
print("only the first cell after a question")
```

$$
x = \\tfrac12
$$

```{code-cell} ipython3
:tags: [hide-input, from-records]
experiments.show("fig2_right", profile)
```

What follows a figure is said and not shown.

```{claims} backdoor_rises
```

```{answer} backdoors
```

```{note} Who asks, in a word
We do: {measured}`fig2_right.successes(128) %.0f` % of them.
```

## Check yourself

Decide first.

```{quiz}
What is it?
+ this
  For a reason.
- that
  No reason.
- nothing
  Nor here.
@ A section
```

## Exercises

Do them.

```{exercise-start} Count
:label: ex-count
```

*Easy.* Count.

```{exercise-end}
```

### Experiments to try

Try more.
"""


@pytest.fixture(scope="module")
def deck(tmp_path_factory: pytest.TempPathFactory) -> slides.Deck:
    path = tmp_path_factory.mktemp("chapter") / "small.md"
    path.write_text(CHAPTER)
    return slides.Deck(path)


def shown(deck: slides.Deck, kind: str) -> list[str]:
    return ["".join(slide.body) for slide in deck.slides if slide.kind == kind]


def test_a_deck_has_a_slide_for_each_step_of_a_chapter(deck: slides.Deck) -> None:
    assert (deck.title, deck.question) == ("A title", "Who asks?")
    kinds = [slide.kind for slide in deck.slides if slide.body]
    assert kinds == [
        "text",
        "text",
        "text",
        "predict",
        "code",
        "text",
        "figure",
        "claims",
        "box",
        "box",
        "quiz",
        "exercises",
    ]


def test_numbers_of_a_live_run_are_left_out(deck: slides.Deck) -> None:
    everything = " ".join("".join(slide.body + slide.notes) for slide in deck.slides)
    assert slides.UNKNOWN not in everything
    assert shown(deck, "predict") == ["<p>How many are called banana? The figure knows.</p>"]


def test_the_first_sentences_are_shown_and_the_paragraph_is_said(deck: slides.Deck) -> None:
    section = next(s for s in deck.slides if s.title == "A section" and s.body)
    assert len(section.body) == 2
    assert section.body[0].startswith("<p>A first sentence with <span")
    assert "<msub>" in section.body[0]
    assert section.body[1] == "<p><strong>A lead.</strong> It says more.</p>"
    figure = next(s for s in deck.slides if s.kind == "figure")
    assert figure.notes == ["<p>What follows a figure is said and not shown.</p>"]
    assert figure.figure == "fig2_right"


def test_records_say_what_a_figure_and_a_claim_show(deck: slides.Deck) -> None:
    (chart,) = shown(deck, "figure")
    assert 'aria-label="' in chart
    assert "<svg" in chart
    (claims,) = shown(deck, "claims")
    assert "verdict-holds" in claims
    answer, box = shown(deck, "box")
    assert all(sentence in answer for sentence in answers.texts(answers.get("backdoors"))[:1])
    assert box.startswith("<p>We do: ")


def test_code_is_escaped_and_a_cell_without_a_question_is_not_shown(deck: slides.Deck) -> None:
    assert shown(deck, "code") == ["<pre><code>print(1 &lt; 2)</code></pre>"]


def test_what_cells_showed_stands_below_their_code_and_on_slides_of_its_own(tmp_path: Path) -> None:
    line = {"type": "scatter", "x": [1, 2], "y": [3, 4]}
    plot = {"data": [line], "layout": {"title": {"text": "a line"}, "height": 300}}
    table = "<table><tr><td>7</td></tr></table>"
    (tmp_path / "small.md").write_text(
        "# A title\n\n## A section\n\n*Predict, then run:* how many?\n\n```{code-cell} ipython3\nask()\n```\n\n"
        "It is {glue:text}`rate:.1f` %.\n\n```{code-cell} ipython3\n:tags: [hide-input]\ndraw()\n```\n\n"
        "```{code-cell} ipython3\n:tags: [hide-output]\nlong()\n```\n\n"
        '```{code-cell} ipython3\n:tags: [hide-cell, from-records]\nexperiments.show("fig6", profile)\n```\n\n'
        "## Exercises\n\n"
        "```{code-cell} ipython3\ncheck()\n```\n"
    )
    text = partial(run_outputs.Output, "text")
    shown_by = {
        "ask()": [text("three <of> them"), text("line\n" * 40)],
        "draw()": [run_outputs.Output("figure", plot), run_outputs.Output("html", table)],
        "long()": [text("folded")],
        "check()": [text("right")],
    }
    deck = slides.Deck(tmp_path / "small.md", run=run_outputs.Run(shown_by, {"rate": 12.345}))
    assert shown(deck, "code") == ['<pre><code>ask()</code></pre><pre class="printed">three &lt;of&gt; them</pre>']
    (figure,) = [slide for slide in deck.slides if slide.kind == "figure"]
    assert figure.title == "A line"
    assert "<svg" in "".join(figure.body)
    assert shown(deck, "table") == [table]
    everything = " ".join("".join(s.body + s.notes) for s in deck.slides)
    assert "It is 12.3 %." in everything
    assert not any(word in everything for word in ("folded", "right", "line\nline"))


def test_a_chapter_that_was_not_run_has_no_results(tmp_path: Path) -> None:
    assert run_outputs.of_chapter("backdoors", tmp_path, tmp_path) is None


def test_a_question_has_one_right_choice_and_its_reasons_in_the_notes(deck: slides.Deck) -> None:
    (quiz,) = [slide for slide in deck.slides if slide.kind == "quiz"]
    assert "".join(quiz.body).count('class="right"') == 1
    assert len(quiz.notes) == 3
    assert "Count" in "".join(shown(deck, "exercises"))
    assert "Try more" not in " ".join("".join(s.body + s.notes) for s in deck.slides)


@pytest.mark.parametrize(("text", "why"), [("{unheard}`of`", "role 'unheard'"), ("$\\unheard$", "unheard")])
def test_what_no_slide_can_show_is_refused(tmp_path: Path, text: str, why: str) -> None:
    (tmp_path / "bad.md").write_text(f"# A title\n\n## A section\n\nIt has {text} in it.\n")
    with pytest.raises(ValueError, match=why):
        slides.Deck(tmp_path / "bad.md")


def test_a_drawing_that_is_not_there_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bad.md").write_text("# A title\n\n```{drawing} unheard\nof\n```\n")
    with pytest.raises(ValueError, match="no drawing 'unheard'"):
        slides.Deck(tmp_path / "bad.md")


def test_sentences_end_where_they_end() -> None:
    text = 'One (in brackets.) *Two, in italics.* Three of 0.5 and "four?" Five.'
    assert slides.SENTENCE.split(text) == [
        "One (in brackets.)",
        "*Two, in italics.*",
        'Three of 0.5 and "four?"',
        "Five.",
    ]
