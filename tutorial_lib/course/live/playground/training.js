/* Training, cleaning and searching: what runs in the worker.

   A session answers requests {do, …} by messages that it sends one after another; it stops to breathe between steps, so
   that it hears `pause`, `resume` and `stop`. */
((globalThis.course ??= {}).parts ??= []).push((lib) => {
  const BATCH = 64, SHIFT = 2, SIDE = 32;
  const WARMUP = 0.1; // share of all steps
  const BREATH = 40; // milliseconds of work at a time

  /* A new task for the event loop, which setTimeout would put off by some milliseconds. */
  const breathe = () => new Promise((resolve) => {
    const channel = new MessageChannel();
    channel.port1.onmessage = () => {
      channel.port1.close();
      resolve();
    };
    channel.port2.postMessage(null);
  });

  /* The learning rate of a step, from 0: a line up, then a cosine down to 0. */
  function rateAt(step, total, peak) {
    const warm = Math.round(WARMUP * total);
    if (step < warm) return (peak * (step + 1)) / warm;
    return peak * 0.5 * (1 + Math.cos((Math.PI * (step - warm)) / Math.max(1, total - warm)));
  }

  /* Puts a picture into the batch, moved by up to two pixels; its border is repeated. */
  function setShifted(net, slot, picture, random) {
    const right = random.below(2 * SHIFT + 1) - SHIFT, down = random.below(2 * SHIFT + 1) - SHIFT;
    lib.setPicture(net, slot, moved(picture, (x, y) => [x - right, y - down]));
  }

  /* A picture whose pixel (x, y) is that at `from(x, y)`, the nearest one. */
  function moved(picture, from) {
    const out = new Float32Array(picture.length), inside = (v) => Math.max(0, Math.min(SIDE - 1, v));
    for (let y = 0, i = 0; y < SIDE; y++) {
      for (let x = 0; x < SIDE; x++) {
        const [column, row] = from(x, y), at = 3 * (SIDE * inside(row) + inside(column));
        for (let k = 0; k < 3; k++, i++) out[i] = picture[at + k];
      }
    }
    return out;
  }

  /* A changed view of a picture, for CleanCLIP: a crop of half its area or more, mirrored or not, in other colours. */
  function pictureView(picture, random) {
    const side = SIDE * Math.sqrt(0.5 + 0.5 * random.unit()), mirrored = random.below(2);
    const left = random.unit() * (SIDE - side), top = random.unit() * (SIDE - side);
    const out = moved(picture, (x, y) => {
      const column = Math.floor(left + ((x + 0.5) * side) / SIDE);
      return [mirrored ? SIDE - 1 - column : column, Math.floor(top + ((y + 0.5) * side) / SIDE)];
    });
    const contrast = 0.6 + 0.8 * random.unit(), grey = random.below(5) === 0;
    const bright = [0, 1, 2].map(() => 0.7 + 0.6 * random.unit());
    for (let i = 0; i < out.length; i += 3) {
      const mean = (out[i] + out[i + 1] + out[i + 2]) / 3;
      for (let k = 0; k < 3; k++) {
        const value = (grey ? mean : out[i + k]) * bright[grey ? 0 : k];
        out[i + k] = Math.max(0, Math.min(255, 127.5 + contrast * (value - 127.5)));
      }
    }
    return out;
  }

  /* A changed view of a caption: about a fifth of its words are left out, never all. */
  function captionView(words, random) {
    const kept = words.filter(() => random.below(5) > 0);
    return kept.length ? kept : [words[random.below(words.length)]];
  }

  /* code: the assembled product, or null for plain JavaScript. */
  function products(code, words, rows) {
    if (code) {
      try {
        return lib.fastProducts(code, lib.memoryOf(words, rows));
      } catch (error) {
        if (!(error instanceof WebAssembly.CompileError || error instanceof RangeError || error instanceof EvalError)) throw error;
      }
    }
    return lib.plainProducts();
  }

  class Session {
    constructor(world, code, send) {
      this.world = world;
      this.send = send;
      this.words = lib.vocabulary(world.captions);
      this.net = new lib.Clip(products(typeof WebAssembly === "object" ? code : null, this.words.size, 2 * BATCH), this.words.size, 2 * BATCH);
      this.stopped = this.paused = false;
    }

    async hear(request) {
      const { do: what } = request;
      if (what === "pause") this.paused = true;
      else if (what === "resume") this.proceed();
      else if (what === "stop") {
        this.stopped = true;
        this.proceed();
      } else {
        this.stopped = false;
        await this[what](request);
      }
    }

    proceed() {
      this.paused = false;
      this.wake?.();
    }

    /* Whether to go on. */
    async rest() {
      await breathe();
      while (this.paused && !this.stopped) await new Promise((wake) => { this.wake = wake; });
      return !this.stopped;
    }

    /* Trains a new model on the clean pairs and the poisons, without the clean pairs in `removed` and poisons in `found`. */
    async train({ settings, removed = [] }) {
      const gone = new Set(removed), random = new lib.Random(settings.seed, lib.STREAMS.weights);
      const pairs = this.pairs(settings).filter((_, i) => !gone.has(i));
      this.net.reset(random);
      return this.optimize(pairs, settings);
    }

    /* Clean pairs, then poisons. */
    pairs(settings) {
      const { world } = this;
      return [...lib.cleanPairs(world, settings), ...lib.poisonedPairs(world, settings)];
    }

    /* Finetunes a model on a share of the clean pairs: `lambda` 0 is plain finetuning, else CleanCLIP's weight. */
    async clean({ state, settings, share, lambda, epochs, rate }) {
      const random = new lib.Random(settings.seed, lib.STREAMS.subset);
      const clean = random.shuffle(lib.cleanPairs(this.world, settings));
      this.net.load(state);
      return this.optimize(clean.slice(0, Math.max(BATCH, Math.round(share * clean.length))), { ...settings, epochs, rate }, lambda);
    }

    async optimize(pairs, settings, lambda = 0) {
      const { net, words } = this, { seed, epochs, rate } = settings;
      const [order, shifts, views] = ["order", "shifts", "views"].map((s) => new lib.Random(seed, lib.STREAMS[s]));
      const tokens = pairs.map(({ caption }) => words.tokens(caption)), steps = Math.floor(pairs.length / BATCH);
      const tests = lib.testPictures(this.world, settings), list = pairs.map((_, i) => i);
      const losses = [];
      let last = performance.now(), measured = this.measured(tests, settings);
      this.send({ did: "begin", pairs: pairs.length, steps: steps * epochs, measured });
      for (let epoch = 0; epoch < epochs; epoch++) {
        order.shuffle(list);
        for (let s = 0; s < steps; s++) {
          const batch = list.slice(s * BATCH, (s + 1) * BATCH), text = batch.map((i) => tokens[i]);
          batch.forEach((i, slot) => setShifted(net, slot, pairs[i].picture, shifts));
          if (lambda > 0) {
            batch.forEach((i, slot) => setShifted(net, BATCH + slot, pictureView(pairs[i].picture, views), shifts));
            batch.forEach((i) => text.push(captionView(tokens[i], views)));
          }
          net.see(text.length, true);
          net.read(text);
          losses.push(net.loss(BATCH, lambda));
          if (!Number.isFinite(losses.at(-1))) throw new Error("the loss is no number any more");
          net.step(rateAt(epoch * steps + s, epochs * steps, rate));
          if (performance.now() - last > BREATH) {
            this.send({ did: "steps", losses: losses.splice(0) });
            if (!(await this.rest())) return this.send({ did: "stopped" });
            last = performance.now();
          }
        }
        measured = this.measured(tests, settings, measured);
        this.send({ did: "epoch", epoch: epoch + 1, losses: losses.splice(0), measured, state: net.state.slice() });
        if (!(await this.rest())) return this.send({ did: "stopped" });
        last = performance.now();
      }
      return this.send({ did: "end", measured, state: net.state.slice() });
    }

    measured(tests, settings, before) {
      return lib.measure(this.net, this.world, this.words, tests, settings, before?.map.plane);
    }

    /* Scores the pairs that a model was trained on: the more alone a picture lies, the more suspicious. Embeddings are not
       normalized, as Huang et al. (2025) and `tutorial_lib.detect` have it: here that decides whether it works. */
    async find({ state, settings, method, reference, k = 16 }) {
      const pairs = this.pairs(settings), random = new lib.Random(settings.seed, lib.STREAMS.reference);
      this.net.load(state);
      const embeddings = lib.embed(this.net, pairs.map(({ picture }) => picture), "raw");
      const drawn = random.shuffle(pairs.map((_, i) => i)).slice(0, reference);
      const scores = lib.outlierScores(embeddings, drawn, k, method), poison = pairs.map((pair) => pair.poison);
      const order = scores.map((_, i) => i).sort((a, b) => scores[b] - scores[a]);
      this.send({ did: "found", scores, poison, order, area: lib.areaUnderCurve(scores, poison), inReference: drawn.filter((i) => poison[i]).length });
    }
  }

  /* In a worker: the first message brings {world, code}, the others are requests. */
  lib.serve = (scope) => {
    let session;
    scope.onmessage = async ({ data }) => {
      try {
        if (session) await session.hear(data);
        else {
          session = new Session(data.world, data.code, (message) => scope.postMessage(message));
          scope.postMessage({ did: "ready", kind: session.net.products.kind });
        }
      } catch (error) {
        scope.postMessage({ did: "fail", message: error.message });
      }
    };
  };

  Object.assign(lib, { Session, BATCH, rateAt });
});
