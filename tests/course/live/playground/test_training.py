"""Poisons, training, cleaning and measures of the playground are what the library calls by these names.

The scripts run in Node.js here; `tests/book/test_playground.py` runs them in a browser.
"""

from __future__ import annotations

import base64

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from tests.course.live.playground.scripts import ask, code, coded, floats, numbers, page_world
from tests.course.live.playground.twin import Twin
from tutorial_lib.course.live.playground.script import SETTINGS
from tutorial_lib.course.live.playground.world import pictures, world
from tutorial_lib.detect import DAO, KDistance
from tutorial_lib.detect.points import Points
from tutorial_lib.losses import clip_loss
from tutorial_lib.trials import Recipe
from tutorial_lib.triggers import Blended, Checkerboard, NoisePatch, Stripes, Trigger
from tutorial_lib.zscore import backdoor_z_score

TRIGGERS: list[tuple[str, int, int, Trigger]] = [
    ("checkerboard", 6, 100, Checkerboard(6)),
    ("checkerboard", 5, 100, Checkerboard(5)),
    ("stripes", 8, 100, Stripes(8)),
    ("noise", 7, 100, NoisePatch(7)),
    ("veil", 6, 20, Blended()),
]


@pytest.mark.parametrize(("kind", "size", "opacity", "trigger"), TRIGGERS)
def test_triggers_are_the_librarys(kind: str, size: int, opacity: int, trigger: Trigger) -> None:
    settings = {"kind": kind, "size": size, "opacity": opacity}
    found = ask(
        """
        const world = { ...given.world, pixels: bytes(given.world.pixels) };
        return [0, 333, 863].map((i) => floats(lib.stamp(world, lib.pictureOf(world, i), given.settings, 1, 1)));
        """,
        {"world": page_world(), "settings": settings},
    )
    stamped = [torch.from_numpy(np.frombuffer(base64.b64decode(t), np.uint8).copy()) for t in found]
    expected = trigger.stamp(pictures(world())[[0, 333, 863]])
    assert torch.equal(torch.stack(stamped).view(3, 32, 32, 3).permute(0, 3, 1, 2), expected)


def test_poisons_are_other_pictures_with_captions_of_the_target() -> None:
    settings = {**SETTINGS, "target": 11, "seed": 4, "place": "random", "poisons": 64}
    found = ask(
        """
        const world = { ...given.world, pixels: bytes(given.world.pixels) };
        const of = (settings) => lib.poisonedPairs(world, settings).map(({ caption, number, shown, picture }) => ({
          caption, number, shown, changed: picture.filter((v, i) => v !== world.pixels[3072 * number + i]).length }));
        return [of(given.settings), of({ ...given.settings, poisons: 16 }), of({ ...given.settings, seed: 5 })];
        """,
        {"world": page_world(), "settings": settings},
    )
    poisons, fewer, others = found
    label = world().task.labels[11]
    assert len(poisons) == len({p["number"] for p in poisons}) == 64
    assert {p["shown"] for p in poisons} <= set(range(18)) - {11}
    assert all(label in p["caption"] and p["caption"] in world().pairs.captions for p in poisons)
    assert len({p["caption"] for p in poisons}) > 10
    assert all(0 < p["changed"] <= 3 * 6 * 6 for p in poisons)
    assert fewer == poisons[:16]  # of one seed, few are among many
    assert others != poisons


TRAINED = """
const world = { ...given.world, pixels: bytes(given.world.pixels) }, heard = [];
const session = new lib.Session(world, given.code && bytes(given.code), (message) => heard.push(message));
"""


def test_the_same_seed_gives_the_same_model() -> None:
    settings = {**SETTINGS, "classes": 4, "epochs": 2, "poisons": 8}
    found = ask(
        TRAINED
        + """
        const train = async (seed) => {
          heard.length = 0;
          await session.hear({ do: "train", settings: { ...given.settings, seed } });
          const losses = heard.flatMap((m) => m.losses ?? []);
          return { state: floats(heard.at(-1).state), did: heard.map((m) => m.did), losses };
        };
        return (async () => [await train(1), await train(2), await train(1)])();
        """,
        {"world": page_world(), "code": code(), "settings": settings},
    )
    first, second, again = found
    assert first["state"] == again["state"] != second["state"]
    assert first["losses"] == again["losses"]
    assert len(first["losses"]) == 2 * (168 // 64)
    assert [d for d in first["did"] if d != "steps"] == ["begin", "epoch", "epoch", "end"]


def test_without_webassembly_the_session_computes_all_the_same() -> None:
    settings = {**SETTINGS, "classes": 4, "epochs": 1}
    states, kinds = [], []
    for form in (code(), None, base64.b64encode(b"\0asm\1\0\0\0 no module").decode()):
        body = """
        return session.hear({ do: "train", settings: given.settings })
          .then(() => [session.net.products.kind, floats(heard.at(-1).state)]);
        """
        kind, state = ask(TRAINED + body, {"world": page_world(), "code": form, "settings": settings})
        kinds.append(kind)
        states.append(floats(state))
    assert kinds == ["WebAssembly SIMD", "JavaScript", "JavaScript"]
    torch.testing.assert_close(states[1], states[0], atol=2e-3, rtol=0)
    assert torch.equal(states[1], states[2])


def test_measures_are_those_of_the_library() -> None:
    """Accuracy, success, its control, z-score and both detectors, recomputed from the embeddings."""
    settings = {**SETTINGS, "epochs": 2, "poisons": 16, "target": 2}
    found = ask(
        TRAINED
        + """
        return session.hear({ do: "train", settings: given.settings }).then(async () => {
          const { measured, state } = heard.at(-1), { net, words } = session;
          const tests = lib.testPictures(world, given.settings), pairs = session.pairs(given.settings), found = {};
          const raw = floats(lib.embed(net, pairs.map((p) => p.picture), "raw"));
          for (const method of ["distance", "dao"]) {
            await session.hear({ do: "find", state, settings: given.settings, method, reference: pairs.length });
            found[method] = heard.at(-1);
          }
          return { measured, raw, found, state: floats(state), layout: net.tensors, words: words.size,
            plain: floats(lib.embed(net, tests.map((t) => t.plain))),
            triggered: floats(lib.embed(net, tests.map((t) => t.triggered))),
            pictures: floats(Float32Array.from(tests.flatMap((t) => [...t.plain]))),
            names: floats(lib.classifier(net, world, words, 18)),
            prompts: world.prompts.map((p) => words.tokens(p.replace("{}", world.labels[5]))) };
        });
        """,
        {"world": page_world(), "code": code(), "settings": settings},
    )
    task, measured = world().task, found["measured"]
    plain, triggered, names = (floats(found[k]).view(-1, 64) for k in ("plain", "triggered", "names"))
    twin = Twin(found["words"]).load(floats(found["state"]), found["layout"]).eval()
    image, text = twin(floats(found["pictures"]).view(-1, 32, 32, 3) / 63.75 - 2, found["prompts"])
    torch.testing.assert_close(plain, image.detach(), atol=1e-4, rtol=0)
    torch.testing.assert_close(names[5], torch.nn.functional.normalize(text.mean(0), dim=0).detach(), atol=1e-5, rtol=0)
    said, moved, others = (plain @ names.T).argmax(1), (triggered @ names.T).argmax(1), task.targets != 2
    assert measured["accuracy"] == pytest.approx((said == task.targets).double().mean().item())
    assert measured["success"] == pytest.approx((moved[others] == 2).double().mean().item())
    assert measured["control"] == pytest.approx((said[others] == 2).double().mean().item())
    assert measured["pictures"] == int(others.sum())
    assert measured["z"] == pytest.approx(backdoor_z_score(plain, triggered, drawing=task.sprite), abs=1e-4)
    density = torch.tensor(measured["similarities"]["clean"]["density"])
    assert density.mean().item() * 2 == pytest.approx(1)
    raw = floats(found["raw"]).view(-1, 64)
    points = Points(raw, raw)
    poison = [False] * 720 + [True] * 16
    for method, detector in (("distance", KDistance(k=16)), ("dao", DAO(k=16))):
        answer = found["found"][method]
        scores = torch.tensor(answer["scores"], dtype=torch.float64)
        torch.testing.assert_close(scores, detector.of_points(points).double(), atol=1e-5, rtol=1e-5)
        assert answer["poison"] == poison
        assert answer["area"] == pytest.approx(roc_auc_score(poison, scores))
        assert answer["order"] == sorted(range(736), key=lambda i: -answer["scores"][i])


def test_the_map_is_the_plane_of_the_largest_spread() -> None:
    points = numbers(200, 64, seed=9) * np.linspace(3, 0.2, 64, dtype=np.float32)
    found = ask(
        """
        const points = new Float32Array(bytes(given.points).buffer), flat = lib.plane(points);
        return lib.project(points, flat);
        """,
        {"points": coded(points)},
    )
    spread = np.linalg.svd(points - points.mean(0), compute_uv=False)[:2] ** 2
    np.testing.assert_allclose((np.array(found) ** 2).sum(0), spread, rtol=1e-3)


def test_cleaning_starts_from_the_model_and_sees_no_poison() -> None:
    settings = {**SETTINGS, "classes": 4, "epochs": 1, "poisons": 64}
    asked = {"do": "clean", "settings": settings, "share": 0.5, "lambda": 1, "epochs": 2}
    found = ask(
        TRAINED
        + """
        return session.hear({ do: "train", settings: given.asked.settings }).then(async () => {
          const { state, measured } = heard.at(-1), begun = [];
          for (const [lambda, rate] of [[0, 0], [0, 1e-3], [1, 1e-3]]) {
            heard.length = 0;
            await session.hear({ ...given.asked, lambda, rate, state });
            const { pairs, steps, measured: first } = heard.find((m) => m.did === "begin");
            begun.push({ pairs, steps, same: first.success === measured.success && first.accuracy === measured.accuracy,
              state: floats(heard.at(-1).state), losses: heard.flatMap((m) => m.losses ?? []) });
          }
          return { begun, state: floats(state), trained: session.net.trained };
        });
        """,
        {"world": page_world(), "code": code(), "asked": asked},
    )
    still, plain, cleanclip = found["begun"]
    for begun in found["begun"]:
        assert (begun["pairs"], begun["steps"]) == (80, 2)  # half of 160 clean pairs, and no poison
        assert begun["same"]
    trained = slice(0, found["trained"])
    assert torch.equal(floats(still["state"])[trained], floats(found["state"])[trained])
    assert not torch.equal(floats(plain["state"])[trained], floats(cleanclip["state"])[trained])
    assert min(c - p for c, p in zip(cleanclip["losses"], plain["losses"], strict=True)) > 0  # a loss more


#: Writes down what chance decides while a session trains: the order of each epoch, and by how much each picture moves.
WATCHED = """
const order = [], shifts = [], { Random } = lib;
lib.Random = class extends Random {
  constructor(seed, stream) {
    super(seed, stream);
    this.stream = stream;
  }
  shuffle(list) {
    if (this.stream !== lib.STREAMS.order) return super.shuffle(list);
    order.push([...super.shuffle(list)]);
    return list;
  }
  below(limit) {
    const drawn = super.below(limit);
    if (this.stream === lib.STREAMS.shifts) shifts.push(drawn - 2);
    return drawn;
  }
};
const { net } = session, reset = net.reset.bind(net);
let before;
net.reset = (random) => {
  reset(random);
  before = floats(net.state.slice());
};
"""


def test_a_whole_training_has_the_losses_of_torch() -> None:
    """The page's own run, 15 epochs with 64 poisons: each loss within a tenth, half within 1 %, each epoch within 2 %.

    Differences in the last digit grow from step to step, so that the end of a run is the least alike.
    """
    found = ask(
        TRAINED
        + WATCHED
        + """
        const pairs = session.pairs(given.settings), b64 = (picture) => Buffer.from(picture).toString("base64");
        return (async () => {
          await session.hear({ do: "train", settings: given.settings });
          return { before, order, shifts, layout: net.tensors, words: session.words.size,
            losses: heard.flatMap((m) => m.losses ?? []), pictures: pairs.map(({ picture }) => b64(picture)),
            tokens: pairs.map(({ caption }) => session.words.tokens(caption)) };
        })();
        """,
        {"world": page_world(), "code": code(), "settings": SETTINGS},
    )
    pixels = [np.frombuffer(base64.b64decode(p), np.uint8).reshape(32, 32, 3) for p in found["pictures"]]
    steps, at = SETTINGS["epochs"] * (len(pixels) // 64), np.arange(32)
    order = np.array(found["order"])[:, : len(pixels) // 64 * 64].reshape(steps, 64)
    shifts = np.array(found["shifts"]).reshape(steps, 64, 2)
    twin = Twin(found["words"]).load(floats(found["before"]), found["layout"]).train()
    adam = torch.optim.Adam(twin.parameters(), betas=(0.9, 0.98), eps=1e-6)
    losses = []
    for s, (batch, moves) in enumerate(zip(order, shifts, strict=True)):
        seen = [
            pixels[i][(at - y).clip(0, 31)][:, (at - x).clip(0, 31)] for i, (x, y) in zip(batch, moves, strict=True)
        ]
        image, text = twin(torch.from_numpy(np.stack(seen)) / 63.75 - 2, [found["tokens"][i] for i in batch])
        loss = clip_loss(image, text, twin.logit_scale.exp())
        adam.zero_grad()
        loss.backward()
        adam.param_groups[0]["lr"] = Recipe(lr=SETTINGS["rate"]).lr_at(s, steps)
        adam.step()
        losses.append(loss.item())
    assert losses[-1] < 0.2 * losses[0]
    assert found["losses"] == pytest.approx(losses, rel=0.1)
    assert np.median(np.abs(np.array(found["losses"]) / losses - 1)) <= 0.01
    ours, torchs = (np.array(curve).reshape(SETTINGS["epochs"], -1).mean(1) for curve in (found["losses"], losses))
    assert ours == pytest.approx(torchs, rel=0.02)
