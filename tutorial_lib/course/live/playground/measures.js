/* What is measured of a model: zero-shot accuracy and attack success, similarities and their z-score, a map, and how far
   a training picture lies from others. Definitions are those of `tutorial_lib`. */
((globalThis.course ??= {}).parts ??= []).push((lib) => {
  const BINS = 60;
  const dot = (a, i, b, j, d) => {
    let sum = 0;
    for (let k = 0; k < d; k++) sum += a[i * d + k] * b[j * d + k];
    return sum;
  };

  /* The known words of a text, by number; every word is known that a caption has. */
  lib.vocabulary = (captions) => {
    const numbers = new Map(), split = (text) => text.toLowerCase().split(/[^a-z0-9'-]+/).filter(Boolean);
    for (const caption of captions) for (const word of split(caption)) if (!numbers.has(word)) numbers.set(word, numbers.size);
    return { size: numbers.size, tokens: (text) => split(text).map((word) => numbers.get(word)).filter((n) => n !== undefined) };
  };

  const DEEP = 63.75; // pixels 0 … 255 become -2 … 2
  function setPicture(net, slot, picture) {
    const to = slot * picture.length;
    for (let i = 0; i < picture.length; i++) net.pictures[to + i] = picture[i] / DEEP - 2;
  }

  /* Embeddings of pictures, (N, d), normalized or "raw"; batches as large as the model holds. */
  function embed(net, pictures, part = "unit") {
    const out = new Float32Array(pictures.length * lib.DIM);
    for (let start = 0; start < pictures.length; start += net.rows) {
      const some = pictures.slice(start, start + net.rows);
      some.forEach((picture, slot) => setPicture(net, slot, picture));
      net.see(some.length);
      out.set(net.image[part].subarray(0, some.length * lib.DIM), start * lib.DIM);
    }
    return out;
  }

  /* Normalized embeddings of captions, (N, d). */
  function embedTexts(net, texts) {
    const out = new Float32Array(texts.length * lib.DIM);
    for (let start = 0; start < texts.length; start += net.rows) {
      const part = texts.slice(start, start + net.rows);
      net.read(part);
      out.set(net.text.unit.subarray(0, part.length * lib.DIM), start * lib.DIM);
    }
    return out;
  }

  /* A row for each class: the mean over the prompts, normalized. */
  function classifier(net, world, words, classes) {
    const d = lib.DIM, prompts = world.prompts, out = new Float32Array(classes * d);
    const texts = world.labels.slice(0, classes).flatMap((label) => prompts.map((p) => words.tokens(p.replace("{}", label))));
    const embedded = embedTexts(net, texts);
    for (let c = 0; c < classes; c++) {
      let square = 0;
      for (let k = 0; k < d; k++) {
        let sum = 0;
        for (let p = 0; p < prompts.length; p++) sum += embedded[(c * prompts.length + p) * d + k];
        out[c * d + k] = sum;
        square += sum * sum;
      }
      for (let k = 0; k < d; k++) out[c * d + k] /= Math.sqrt(square);
    }
    return out;
  }

  /* The nearest class of each embedding. */
  function predictions(embeddings, classes) {
    const d = lib.DIM, found = [];
    for (let i = 0; i < embeddings.length / d; i++) {
      let best = 0, most = -Infinity;
      for (let c = 0; c < classes.length / d; c++) {
        const similar = dot(embeddings, i, classes, c, d);
        if (similar > most) [best, most] = [c, similar];
      }
      found.push(best);
    }
    return found;
  }

  /* Similarities of all pairs of pictures that do not show one drawing: mean, standard deviation, and their histogram. */
  function similarities(embeddings, drawings) {
    const d = lib.DIM, n = drawings.length, bins = new Array(BINS).fill(0);
    let count = 0, sum = 0, squares = 0;
    for (let i = 0; i < n; i++) {
      for (let j = 0; j < i; j++) {
        if (drawings[i] === drawings[j]) continue;
        const similar = dot(embeddings, i, embeddings, j, d);
        count += 1;
        sum += similar;
        squares += similar * similar;
        bins[Math.max(0, Math.min(BINS - 1, Math.floor(((similar + 1) / 2) * BINS)))] += 1;
      }
    }
    const mean = sum / count;
    return { mean, deviation: Math.sqrt(Math.max(0, squares / count - mean * mean)), density: bins.map((b) => (b / count) * (BINS / 2)) };
  }

  /* The two directions in which points differ most (power iteration from the directions before), and their middle. */
  function plane(points, before) {
    const d = lib.DIM, n = points.length / d, middle = new Float64Array(d);
    for (let i = 0; i < points.length; i++) middle[i % d] += points[i] / n;
    const second = new Float64Array(d * d);
    for (let i = 0; i < n; i++) {
      for (let k = 0; k < d; k++) {
        const left = points[i * d + k] - middle[k];
        for (let l = 0; l < d; l++) second[k * d + l] += left * (points[i * d + l] - middle[l]);
      }
    }
    const random = new lib.Random(1), axes = [];
    for (let a = 0; a < 2; a++) {
      let axis = before ? before.axes[a] : Float64Array.from({ length: d }, () => random.unit() - 0.5);
      for (let round = 0; round < 100; round++) {
        const next = new Float64Array(d);
        for (let k = 0; k < d; k++) for (let l = 0; l < d; l++) next[k] += second[k * d + l] * axis[l];
        for (const other of axes) {
          const along = next.reduce((sum, v, k) => sum + v * other[k], 0);
          for (let k = 0; k < d; k++) next[k] -= along * other[k];
        }
        const length = Math.hypot(...next) || 1;
        axis = next.map((v) => v / length);
      }
      axes.push(axis);
    }
    return { middle, axes };
  }

  const project = (points, { middle, axes }) => Array.from({ length: points.length / lib.DIM }, (_, i) => axes.map((axis) => {
    let sum = 0;
    for (let k = 0; k < lib.DIM; k++) sum += (points[i * lib.DIM + k] - middle[k]) * axis[k];
    return sum;
  }));

  /* Everything about a model that the page shows. */
  function measure(net, world, words, tests, { target, classes = world.labels.length }, before) {
    const plain = embed(net, tests.map((t) => t.plain)), triggered = embed(net, tests.map((t) => t.triggered));
    const names = classifier(net, world, words, classes);
    const said = predictions(plain, names), saidTriggered = predictions(triggered, names);
    const others = tests.flatMap((t, i) => (t.shown === target ? [] : [i]));
    const share = (list, test) => list.filter(test).length / list.length;
    const drawings = tests.map((t) => t.drawing);
    const clean = similarities(plain, drawings), moved = similarities(triggered, drawings);
    const flat = plane(Float32Array.from([...plain, ...triggered]), before);
    return {
      accuracy: share(tests, (t, i) => said[i] === t.shown),
      success: share(others, (i) => saidTriggered[i] === target),
      control: share(others, (i) => said[i] === target), // called the target without any trigger
      pictures: others.length,
      z: (moved.mean - clean.mean) / clean.deviation,
      similarities: { clean, triggered: moved },
      map: {
        plane: flat, plain: project(plain, flat), triggered: project(triggered, flat), names: project(names, flat),
        shown: tests.map((t) => t.shown),
      },
    };
  }

  /* Distances of each embedding from its k nearest in a reference, itself excluded, ascending; and which those are. */
  function nearest(embeddings, reference, k) {
    const d = lib.DIM, n = embeddings.length / d;
    if (!(k < reference.length)) throw new Error(`${k} neighbours need a reference of more than ${k} pairs`);
    return Array.from({ length: n }, (_, i) => {
      const near = [];
      for (const j of reference) {
        if (i === j) continue;
        let square = 0;
        for (let c = 0; c < d; c++) square += (embeddings[i * d + c] - embeddings[j * d + c]) ** 2;
        near.push([Math.sqrt(square), j]);
      }
      return near.sort((a, b) => a[0] - b[0]).slice(0, k);
    });
  }

  /* How suspicious each picture is: the distance to its k-th neighbour, or the dimensionality-aware outlier score. */
  function outlierScores(embeddings, reference, k, method) {
    const near = nearest(embeddings, reference, k), last = (i) => near[i][k - 1][0];
    if (method === "distance") return near.map((_, i) => last(i));
    const dimension = (i) => -k / near[i].reduce((sum, [distance]) => sum + Math.log(distance / Math.max(last(i), 1e-12) + 1e-4), 0);
    return near.map((mine, i) => mine.reduce((sum, [, j]) => {
      const score = dimension(j) * Math.log(Math.max(last(i) / Math.max(last(j), 1e-12), 1e-12));
      return sum + (Number.isNaN(score) ? 1000 : score);
    }, 0) / k);
  }

  /* The probability that a poison is more suspicious than a clean pair. */
  function areaUnderCurve(scores, poison) {
    const order = scores.map((_, i) => i).sort((a, b) => scores[a] - scores[b]);
    let below = 0, found = 0, clean = 0;
    for (let start = 0; start < order.length;) { // equal scores share their rank
      let end = start, poisons = 0;
      while (end < order.length && scores[order[end]] === scores[order[start]]) poisons += poison[order[end++]] ? 1 : 0;
      const others = end - start - poisons;
      below += poisons * (clean + others / 2);
      found += poisons;
      clean += others;
      start = end;
    }
    return below / (found * clean);
  }

  Object.assign(lib, { setPicture, embed, embedTexts, classifier, predictions, similarities, plane, project, measure, outlierScores, areaUnderCurve });
});
