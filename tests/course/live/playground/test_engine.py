"""The CLIP of the playground computes what PyTorch and the library compute, with and without WebAssembly.

The scripts run in Node.js here; `tests/book/test_playground.py` runs them in a browser.
"""

from __future__ import annotations

import base64
import re
from typing import Any

import numpy as np
import pytest
import torch
import wasmtime
from sklearn.metrics import roc_auc_score

from tests.course.live.playground.twin import Twin, part
from tutorial_lib.course.live.playground import engine
from tutorial_lib.course.live.playground.script import SETTINGS
from tutorial_lib.course.live.playground.world import World, for_page, pictures, world
from tutorial_lib.detect import DAO, KDistance
from tutorial_lib.detect.points import Points
from tutorial_lib.losses import cleanclip_loss, clip_loss
from tutorial_lib.trials import Recipe
from tutorial_lib.triggers import Blended, Checkerboard, NoisePatch, Stripes, Trigger
from tutorial_lib.zscore import backdoor_z_score

WORDS, BATCH = 50, 64
BOTH = pytest.mark.parametrize("fast", [True, False], ids=["wasm", "javascript"])
Json = dict[str, Any]

#: Helpers of the functions below: a model of some rows, and bytes from base64.
MODEL = """
const { lib } = course, bytes = (text) => Uint8Array.from(Buffer.from(text, "base64"));
const floats = (array) => Buffer.from(array.buffer, array.byteOffset, array.byteLength).toString("base64");
const model = ({ code, words, rows }) => new lib.Clip(
  code ? lib.fastProducts(bytes(code), lib.memoryOf(words, rows)) : lib.plainProducts(), words, rows);
"""


def ask(body: str, given: Json) -> Any:
    return engine.ask(f"(given) => {{ {MODEL} {body} }}", given)


def code(fast: bool = True) -> str | None:
    return base64.b64encode(engine.assembled()).decode() if fast else None


def floats(text: str) -> torch.Tensor:
    return torch.from_numpy(np.frombuffer(base64.b64decode(text), "<f4").copy())


def numbers(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape, dtype=np.float32)


def coded(array: np.ndarray) -> str:
    return base64.b64encode(array.tobytes()).decode()


@pytest.fixture(scope="module")
def given() -> Json:
    """The page's world with the pictures themselves."""
    pixels = pictures(world()).permute(0, 2, 3, 1).contiguous().numpy()
    return {**for_page(world()), "pixels": coded(pixels)}


def test_the_fast_loop_is_assembled_from_its_text() -> None:
    made = engine.assembled()
    assert made[:4] == b"\0asm"
    wasmtime.Module.validate(wasmtime.Engine(), made)
    assert len(made) <= 4096  # a browser compiles no more at once outside a worker


@BOTH
@pytest.mark.parametrize("add", [False, True])
@pytest.mark.parametrize("turned", [False, True])
def test_products_of_matrices(fast: bool, add: bool, turned: bool) -> None:
    rows, columns, inner = 12, 24, 7
    a, b, c = numbers(rows, inner, seed=1), numbers(inner, columns, seed=2), numbers(rows, columns, seed=3)
    expected = c * add + np.array([[sum(a[i] * b[:, j]) for j in range(columns)] for i in range(rows)])
    stored = np.ascontiguousarray(a.T) if turned else a
    found = ask(
        """
        const products = given.code ? lib.fastProducts(bytes(given.code), 1e4) : lib.plainProducts();
        const [a, b, c] = ["a", "b", "c"].map((name) => {
          const values = new Float32Array(bytes(given[name]).buffer), out = products.alloc(values.length);
          out.set(values);
          return out;
        });
        const { rows, columns, inner } = given, steps = given.turned ? [1, rows] : [inner, 1];
        products.product(a, b, c, rows, columns, inner, ...steps, columns, columns, given.add);
        return floats(c);
        """,
        {"code": code(fast), "a": coded(stored), "b": coded(b), "c": coded(c), "turned": turned, "add": add}
        | {"rows": rows, "columns": columns, "inner": inner},
    )
    np.testing.assert_allclose(floats(found).view(rows, columns).numpy(), expected, rtol=1e-4, atol=1e-5)


def sfc32(seed: int, stream: int, count: int) -> list[int]:
    """The generator's bits, by its published definition."""
    mask = (1 << 32) - 1
    a, b, c, counter = seed, stream, 0x9E3779B9, 1
    found = []
    for _ in range(15 + count):
        out = (a + b + counter) & mask
        counter = (counter + 1) & mask
        a, b = b ^ (b >> 9), (c + (c << 3)) & mask
        c = (((c << 21) | (c >> 11)) + out) & mask
        found.append(out)
    return found[15:]


def test_random_numbers_are_the_published_generators() -> None:
    body = "const random = new lib.Random(given.seed, 3); return Array.from({ length: 50 }, () => random.bits());"
    assert ask(body, {"seed": 7}) == sfc32(7, 3, 50)
    assert ask(body, {"seed": 8}) != sfc32(7, 3, 50)


#: A model with gains and biases that are not the initial ones, pictures and captions; one step's loss and gradient.
STEP = """
const net = model(given), random = new lib.Random(given.seed), { lambda } = given, n = lambda ? 2 * given.batch : given.batch;
net.reset(random);
for (let l = 0; l < 3; l++) {
  for (const name of [`norm${l}.weight`, `norm${l}.bias`]) net.view(name).forEach((v, i, all) => { all[i] = v + random.unit() - 0.5; });
}
for (let i = 0; i < n * 3072; i++) net.pictures[i] = random.below(256) / 63.75 - 2;
const captions = Array.from({ length: n }, () => Array.from({ length: 1 + random.below(6) }, () => random.below(given.words)));
const before = net.state.slice(), seen = net.pictures.slice(0, n * 3072);
const run = () => {
  net.see(n, true);
  net.read(captions);
  return net.loss(given.batch, lambda);
};
"""


def step_of(fast: bool, weight: float) -> Json:
    given = {"code": code(fast), "words": WORDS, "rows": 128, "batch": BATCH, "seed": 3, "lambda": weight}
    found: Json = ask(
        STEP
        + """
        const loss = run();
        return { loss, captions, layout: net.tensors, before: floats(before), pictures: floats(seen),
          gradient: floats(net.gradient), after: floats(net.state) };
        """,
        given,
    )
    return found


@BOTH
@pytest.mark.parametrize("weight", [0.0, 2.0], ids=["clip", "cleanclip"])
def test_gradients_are_those_of_torch(fast: bool, weight: float) -> None:
    """Same weights, same batch: at most 1e-4 of each tensor's size apart, in both losses."""
    found = step_of(fast, weight)
    layout = found["layout"]
    twin = Twin(WORDS).load(floats(found["before"]), layout).train()
    image, text = twin(floats(found["pictures"]).view(-1, 32, 32, 3), found["captions"])
    scale = twin.logit_scale.exp()
    if weight:
        loss = cleanclip_loss(image[:BATCH], text[:BATCH], image[BATCH:], text[BATCH:], scale, lambda_self=weight)
    else:
        loss = clip_loss(image, text, scale)
    loss.backward()
    assert found["loss"] == pytest.approx(loss.item(), rel=1e-5)
    gradient, after = floats(found["gradient"]), floats(found["after"])
    for name, tensor in twin.places().items():
        if tensor.requires_grad:
            assert tensor.grad is not None
            computed, expected = part(gradient, layout, name), tensor.grad
        else:  # what batch normalization remembers
            computed, expected = part(after, layout, name), tensor
        assert expected.norm() > 0
        assert (computed - expected).norm() <= 1e-4 * expected.norm(), name


@pytest.mark.parametrize("weight", [0.0, 2.0], ids=["clip", "cleanclip"])
def test_gradients_are_slopes_of_the_loss(weight: float) -> None:
    """By the difference of two losses, for each trained tensor along a random direction that is not level."""
    given = {"code": code(), "words": WORDS, "rows": 128, "batch": BATCH, "seed": 5, "lambda": weight}
    found = ask(
        STEP
        + """
        run();
        const gradient = net.gradient.slice(), out = {};
        for (const [name, [start, length]] of Object.entries(net.tensors)) {
          if (start >= net.trained) continue;
          const along = Float64Array.from({ length }, (_, i) => gradient[start + i] * random.below(3));
          const size = given.size / Math.hypot(...along), slope = along.reduce((sum, v, i) => sum + v * size * gradient[start + i], 0);
          const losses = [1, -1].map((sign) => {
            net.state.set(before);
            for (let i = 0; i < length; i++) net.state[start + i] += sign * size * along[i];
            return run();
          });
          out[name] = [slope, (losses[0] - losses[1]) / 2];
        }
        return out;
        """,
        given | {"size": 0.005},
    )
    assert len(found) == 12
    for name, (slope, difference) in found.items():
        assert difference == pytest.approx(slope, rel=0.05), name


def test_a_run_has_the_losses_of_torch() -> None:
    """Forty steps of Adam on the same batches: each loss at most 1 % from that of PyTorch, most of them far less."""
    steps, count = 40, 128
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (count, 3072), dtype=np.uint8)
    captions = [rng.integers(0, WORDS, 1 + i % 5).tolist() for i in range(count)]
    order = [rng.permutation(count)[:BATCH].tolist() for _ in range(steps)]
    recipe = Recipe(lr=4e-3)
    rates = [recipe.lr_at(s, steps) for s in range(steps)]
    given = {"code": code(), "words": WORDS, "rows": BATCH, "pixels": coded(pixels), "captions": captions}
    found = ask(
        """
        const net = model(given), pixels = bytes(given.pixels), losses = [];
        net.reset(new lib.Random(1));
        const before = floats(net.state.slice());
        given.order.forEach((batch, s) => {
          batch.forEach((i, slot) => lib.setPicture(net, slot, pixels.subarray(3072 * i, 3072 * (i + 1))));
          net.see(batch.length, true);
          net.read(batch.map((i) => given.captions[i]));
          losses.push(net.loss(batch.length));
          net.step(given.rates[s]);
        });
        return { before, losses, layout: net.tensors, rates: given.rates.map((_, s) => lib.rateAt(s, given.rates.length, 4e-3)) };
        """,
        given | {"order": order, "rates": rates},
    )
    assert found["rates"] == pytest.approx(rates)
    twin = Twin(WORDS).load(floats(found["before"]), found["layout"]).train()
    adam = torch.optim.Adam(twin.parameters(), betas=(0.9, 0.98), eps=1e-6)
    images = torch.from_numpy(pixels).view(-1, 32, 32, 3) / 63.75 - 2
    losses = []
    for batch, rate in zip(order, rates, strict=True):
        image, text = twin(images[batch], [captions[i] for i in batch])
        loss = clip_loss(image, text, twin.logit_scale.exp())
        adam.zero_grad()
        loss.backward()
        adam.param_groups[0]["lr"] = rate
        adam.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]
    assert found["losses"] == pytest.approx(losses, rel=1e-2)
    assert np.median(np.abs(np.array(found["losses"]) / losses - 1)) <= 1e-3


TRIGGERS: list[tuple[str, int, int, Trigger]] = [
    ("checkerboard", 6, 100, Checkerboard(6)),
    ("checkerboard", 5, 100, Checkerboard(5)),
    ("stripes", 8, 100, Stripes(8)),
    ("noise", 7, 100, NoisePatch(7)),
    ("veil", 6, 20, Blended()),
]


@pytest.mark.parametrize(("kind", "size", "opacity", "trigger"), TRIGGERS)
def test_triggers_are_the_librarys(given: Json, kind: str, size: int, opacity: int, trigger: Trigger) -> None:
    settings = {"kind": kind, "size": size, "opacity": opacity}
    found = ask(
        """
        const world = { ...given.world, pixels: bytes(given.world.pixels) };
        return [0, 333, 863].map((i) => floats(lib.stamp(world, lib.pictureOf(world, i), given.settings, 1, 1)));
        """,
        {"world": given, "settings": settings},
    )
    stamped = [torch.from_numpy(np.frombuffer(base64.b64decode(t), np.uint8).copy()) for t in found]
    expected = trigger.stamp(pictures(world())[[0, 333, 863]])
    assert torch.equal(torch.stack(stamped).view(3, 32, 32, 3).permute(0, 3, 1, 2), expected)


def test_poisons_are_other_pictures_with_captions_of_the_target(given: Json) -> None:
    settings = {**SETTINGS, "target": 11, "seed": 4, "place": "random", "poisons": 64}
    found = ask(
        """
        const world = { ...given.world, pixels: bytes(given.world.pixels) };
        const of = (settings) => lib.poisonedPairs(world, settings).map(({ caption, number, shown, picture }) => ({
          caption, number, shown, changed: picture.filter((v, i) => v !== world.pixels[3072 * number + i]).length }));
        return [of(given.settings), of({ ...given.settings, poisons: 16 }), of({ ...given.settings, seed: 5 })];
        """,
        {"world": given, "settings": settings},
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


def test_the_same_seed_gives_the_same_model(given: Json) -> None:
    settings = {**SETTINGS, "classes": 4, "epochs": 2, "poisons": 8}
    found = ask(
        TRAINED
        + """
        const train = async (seed) => {
          heard.length = 0;
          await session.hear({ do: "train", settings: { ...given.settings, seed } });
          return { state: floats(heard.at(-1).state), did: heard.map((m) => m.did), losses: heard.flatMap((m) => m.losses ?? []) };
        };
        return (async () => [await train(1), await train(2), await train(1)])();
        """,
        {"world": given, "code": code(), "settings": settings},
    )
    first, second, again = found
    assert first["state"] == again["state"] != second["state"]
    assert first["losses"] == again["losses"]
    assert len(first["losses"]) == 2 * (168 // 64)
    assert [d for d in first["did"] if d != "steps"] == ["begin", "epoch", "epoch", "end"]


def test_without_webassembly_the_session_computes_all_the_same(given: Json) -> None:
    settings = {**SETTINGS, "classes": 4, "epochs": 1}
    states, kinds = [], []
    for form in (code(), None, base64.b64encode(b"\0asm\1\0\0\0 no module").decode()):
        body = """
        return session.hear({ do: "train", settings: given.settings })
          .then(() => [session.net.products.kind, floats(heard.at(-1).state)]);
        """
        kind, state = ask(TRAINED + body, {"world": given, "code": form, "settings": settings})
        kinds.append(kind)
        states.append(floats(state))
    assert kinds == ["WebAssembly SIMD", "JavaScript", "JavaScript"]
    torch.testing.assert_close(states[1], states[0], atol=2e-3, rtol=0)
    assert torch.equal(states[1], states[2])


def test_measures_are_those_of_the_library(given: Json) -> None:
    """Accuracy, success, its control, z-score and both detectors, recomputed from the embeddings."""
    settings = {**SETTINGS, "epochs": 2, "poisons": 16, "target": 2}
    found = ask(
        TRAINED
        + """
        return session.hear({ do: "train", settings: given.settings }).then(async () => {
          const { measured, state } = heard.at(-1), { net, words } = session, tests = lib.testPictures(world, given.settings);
          const pairs = session.pairs(given.settings), raw = floats(lib.embed(net, pairs.map((p) => p.picture), "raw")), found = {};
          for (const method of ["distance", "dao"]) {
            await session.hear({ do: "find", state, settings: given.settings, method, reference: pairs.length });
            found[method] = heard.at(-1);
          }
          return { measured, raw, found, state: floats(state), layout: net.tensors, words: words.size,
            plain: floats(lib.embed(net, tests.map((t) => t.plain))), triggered: floats(lib.embed(net, tests.map((t) => t.triggered))),
            pictures: floats(Float32Array.from(tests.flatMap((t) => [...t.plain]))),
            names: floats(lib.classifier(net, world, words, 18)),
            prompts: world.prompts.map((p) => words.tokens(p.replace("{}", world.labels[5]))) };
        });
        """,
        {"world": given, "code": code(), "settings": settings},
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


def test_the_map_is_the_plane_of_the_largest_spread(given: Json) -> None:
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


def test_cleaning_starts_from_the_model_and_sees_no_poison(given: Json) -> None:
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
        {"world": given, "code": code(), "asked": asked},
    )
    still, plain, cleanclip = found["begun"]
    for begun in found["begun"]:
        assert (begun["pairs"], begun["steps"]) == (80, 2)  # half of 160 clean pairs, and no poison
        assert begun["same"]
    trained = slice(0, found["trained"])
    assert torch.equal(floats(still["state"])[trained], floats(found["state"])[trained])
    assert not torch.equal(floats(plain["state"])[trained], floats(cleanclip["state"])[trained])
    assert min(c - p for c, p in zip(cleanclip["losses"], plain["losses"], strict=True)) > 0  # a loss more


def test_no_part_draws_numbers_of_its_own() -> None:
    """All chance comes from seeds."""
    for path in engine.HERE.glob("*.js"):
        assert not re.search(r"Math\.random|crypto\.|Date\.now", path.read_text()), path.name


def test_a_function_that_fails_says_why() -> None:
    with pytest.raises(RuntimeError, match="no such thing"):
        engine.ask('() => { throw new Error("no such thing"); }', None)


def test_the_world_of_these_tests_is_the_pages(given: Json) -> None:
    own: World = world()
    assert len(base64.b64decode(given["pixels"])) == 3072 * (len(own.pairs) + len(own.task))
