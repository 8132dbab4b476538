/* A small CLIP with its gradient: three convolutions for pictures, a bag of words for captions, the CLIP loss and
   CleanCLIP's, and Adam.

   Pictures are rows, columns, channels. A convolution (3 x 3, every second pixel, a border of zeros) is a product: the
   pixels under its nine taps, one row for each place, times its weights. All numbers of a model lie in one array,
   `state`: what is trained, then the running means and variances. `tensors` says where. */
((globalThis.course ??= {}).parts ??= []).push((lib) => {
  const SIDE = 32, CHANNELS = [3, 16, 32, 64], DIM = 64;
  const EPSILON = 1e-5, MOMENTUM = 0.1; // of batch normalization
  const BETA1 = 0.9, BETA2 = 0.98, TINY = 1e-6; // of Adam, as in the course
  const SCALE = Math.log(1 / 0.07), MOST = Math.log(100); // of the similarities, at first and at most

  const fours = (n) => Math.ceil(n / 4) * 4;
  const PIXELS = SIDE * SIDE * CHANNELS[0];
  const FLAT = (SIDE / 8) ** 2 * CHANNELS[3]; // what the last convolution leaves of a picture

  /* Where each tensor lies: {name: [start, length]}, the number of trained numbers, and of all. */
  function layout(words) {
    const tensors = {};
    let at = 0;
    const put = (name, length) => {
      tensors[name] = [at, length];
      at += length;
    };
    for (let l = 0; l < 3; l++) {
      put(`conv${l}.weight`, fours(9 * CHANNELS[l]) * CHANNELS[l + 1]); // (taps x inputs, outputs), some rows of zeros
      put(`norm${l}.weight`, CHANNELS[l + 1]);
      put(`norm${l}.bias`, CHANNELS[l + 1]);
    }
    put("project.weight", FLAT * DIM); // (inputs, outputs)
    put("words.weight", words * DIM);
    put("logit_scale", 1);
    const trained = at;
    for (let l = 0; l < 3; l++) {
      put(`norm${l}.running_mean`, CHANNELS[l + 1]);
      put(`norm${l}.running_var`, CHANNELS[l + 1]);
    }
    return { tensors, trained, all: at };
  }

  /* Numbers that `fastProducts` has to hold for a model of so many words and rows. */
  lib.memoryOf = (words, rows) => {
    const one = CHANNELS.slice(1).reduce((sum, c, l) => {
      const places = (SIDE / 2 ** (l + 1)) ** 2;
      return sum + places * (2 * fours(9 * CHANNELS[l]) + 4 * c);
    }, 0);
    return 3 * layout(words).all + rows * (one + PIXELS + FLAT + 8 * DIM + 2 * rows) + 200000;
  };

  class Clip {
    /* products: see products.js; words: size of the vocabulary; rows: the most pictures at a time. */
    constructor(products, words, rows) {
      Object.assign(this, { products, words, rows: fours(rows) }, layout(words));
      const { alloc } = products;
      this.state = alloc(this.all);
      this.gradient = alloc(this.trained);
      this.first = new Float32Array(this.trained); // Adam's moments
      this.second = new Float32Array(this.trained);
      this.steps = 0;
      this.pictures = alloc(this.rows * PIXELS);
      this.layers = [0, 1, 2].map((l) => this.layer(l));
      this.project = this.view("project.weight");
      for (const name of ["image", "text"]) { // as they are, normalized, and the gradients of both
        this[name] = Object.fromEntries(["raw", "unit", "dRaw", "dUnit"].map((part) => [part, alloc(this.rows * DIM)]));
      }
      this.turned = alloc(Math.max(FLAT * DIM, this.rows * DIM)); // a transpose
      this.dFlat = alloc(this.rows * FLAT);
      this.similar = alloc(this.rows * this.rows);
      this.dSimilar = alloc(this.rows * this.rows);
      this.bags = [];
    }

    layer(l) {
      const inputs = CHANNELS[l], outputs = CHANNELS[l + 1], taps = fours(9 * inputs);
      const side = SIDE / 2 ** (l + 1), places = this.rows * side * side, { alloc } = this.products;
      return {
        inputs, outputs, taps, side, weight: this.view(`conv${l}.weight`), gain: this.view(`norm${l}.weight`),
        bias: this.view(`norm${l}.bias`), mean: this.view(`norm${l}.running_mean`), variance: this.view(`norm${l}.running_var`),
        dWeight: this.view(`conv${l}.weight`, this.gradient), dGain: this.view(`norm${l}.weight`, this.gradient),
        dBias: this.view(`norm${l}.bias`, this.gradient),
        seen: alloc(places * taps), normal: alloc(places * outputs), out: alloc(places * outputs),
        dNormal: alloc(places * outputs), dOutput: alloc(places * outputs), dSeen: l ? alloc(places * taps) : null,
        turned: alloc(taps * outputs), scale: new Float64Array(outputs),
      };
    }

    view(name, array = this.state) {
      const [start, length] = this.tensors[name];
      return array.subarray(start, start + length);
    }

    /* New weights: uniform, with the variance that keeps the size of what passes through. */
    reset(random) {
      const fill = (name, width, length) => {
        const values = this.view(name);
        for (let i = 0; i < length; i++) values[i] = (2 * random.unit() - 1) * width;
      };
      this.state.fill(0);
      this.layers.forEach(({ inputs, outputs, gain, variance }, l) => {
        fill(`conv${l}.weight`, Math.sqrt(6 / (9 * inputs)), 9 * inputs * outputs);
        gain.fill(1);
        variance.fill(1);
      });
      fill("project.weight", Math.sqrt(3 / FLAT), FLAT * DIM);
      fill("words.weight", Math.sqrt(0.27), this.words * DIM); // variance 0.09
      this.view("logit_scale")[0] = SCALE;
      this.forget();
    }

    /* Adam begins anew. */
    forget() {
      this.first.fill(0);
      this.second.fill(0);
      this.steps = 0;
    }

    load(state) {
      this.state.set(state);
      this.forget();
    }

    /* Embeds the first n of `pictures`, pixels scaled to about [-2, 2], into `image`. In training, batches are normalized
       by themselves and the running statistics follow. */
    see(n, training = false) {
      let from = this.pictures;
      for (const layer of this.layers) {
        const { outputs, taps, side } = layer, places = n * side * side;
        spread(from, layer, n);
        this.products.product(layer.seen, layer.weight, layer.normal, places, outputs, taps, taps, 1, outputs, outputs);
        normalize(layer, places, training);
        from = layer.out;
      }
      this.products.product(from, this.project, this.image.raw, fours(n), DIM, FLAT, FLAT, 1, DIM, DIM);
      unit(this.image, n);
    }

    /* Embeds captions, lists of word numbers, into `text`. */
    read(captions) {
      const { raw } = this.text, table = this.view("words.weight");
      this.bags = captions;
      captions.forEach((words, i) => {
        for (let k = 0; k < DIM; k++) {
          let sum = 0;
          for (const word of words) sum += table[word * DIM + k];
          raw[i * DIM + k] = sum / words.length;
        }
      });
      unit(this.text, captions.length);
    }

    /* The loss of B pairs that `see` and `read` have embedded, and its gradient. With lambda > 0 there are 2 B rows: the
       pairs, then their changed views, and the loss is CleanCLIP's, L_CLIP + lambda (L_pictures + L_captions) / 2. */
    loss(B, lambda = 0) {
      const n = lambda > 0 ? 2 * B : B, { image, text } = this;
      this.gradient.fill(0);
      image.dUnit.fill(0);
      text.dUnit.fill(0);
      let loss = this.contrast(image, 0, text, 0, B, 1, true);
      if (lambda > 0) {
        loss += this.contrast(image, 0, image, B, B, lambda / 2, false);
        loss += this.contrast(text, 0, text, B, B, lambda / 2, false);
      }
      unitBackwards(image, n);
      unitBackwards(text, n);
      this.readBackwards();
      this.seeBackwards(n);
      return loss;
    }

    /* weight times InfoNCE of picking each query's own key among B, or the mean of both directions; adds the gradients. */
    contrast(queries, q, keys, k, B, weight, both) {
      const scale = Math.exp(this.view("logit_scale")[0]), { similar, dSimilar, turned } = this;
      const query = queries.unit.subarray(q * DIM), key = keys.unit.subarray(k * DIM);
      transpose(key, turned, B, DIM);
      this.products.product(query, turned, similar, B, B, DIM, DIM, 1, B, B);
      const share = weight / (both ? 2 : 1) / B;
      dSimilar.fill(0, 0, B * B);
      let loss = 0, dScale = 0;
      for (const [line, step] of both ? [[B, 1], [1, B]] : [[B, 1]]) { // rows, columns
        for (let i = 0; i < B; i++) {
          let most = -Infinity, sum = 0;
          for (let j = 0; j < B; j++) most = Math.max(most, similar[i * line + j * step]);
          for (let j = 0; j < B; j++) sum += Math.exp(scale * (similar[i * line + j * step] - most));
          for (let j = 0; j < B; j++) {
            dSimilar[i * line + j * step] += share * (Math.exp(scale * (similar[i * line + j * step] - most)) / sum);
          }
          dSimilar[i * B + i] -= share;
          loss += share * (Math.log(sum) + scale * (most - similar[i * B + i]));
        }
      }
      for (let i = 0; i < B * B; i++) {
        dSimilar[i] *= scale;
        dScale += dSimilar[i] * similar[i];
      }
      this.view("logit_scale", this.gradient)[0] += dScale;
      const { product } = this.products;
      product(dSimilar, key, queries.dUnit.subarray(q * DIM), B, DIM, B, B, 1, DIM, DIM, true);
      product(dSimilar, query, keys.dUnit.subarray(k * DIM), B, DIM, B, 1, B, DIM, DIM, true);
      return loss;
    }

    readBackwards() {
      const table = this.view("words.weight", this.gradient), { dRaw } = this.text;
      this.bags.forEach((words, i) => {
        for (const word of words) {
          for (let k = 0; k < DIM; k++) table[word * DIM + k] += dRaw[i * DIM + k] / words.length;
        }
      });
    }

    seeBackwards(n) {
      const { product } = this.products, { dRaw } = this.image, last = this.layers[2];
      product(last.out, dRaw, this.view("project.weight", this.gradient), FLAT, DIM, n, 1, FLAT, DIM, DIM);
      transpose(this.project, this.turned, FLAT, DIM);
      product(dRaw, this.turned, last.dOutput, n, FLAT, DIM, DIM, 1, FLAT, FLAT);
      for (let l = 2; l >= 0; l--) {
        const layer = this.layers[l], { outputs, taps, side } = layer, places = n * side * side;
        normalizeBackwards(layer, places);
        product(layer.seen, layer.dNormal, layer.dWeight, taps, outputs, places, 1, taps, outputs, outputs);
        if (!l) break;
        transpose(layer.weight, layer.turned, taps, outputs);
        product(layer.dNormal, layer.turned, layer.dSeen, places, taps, outputs, outputs, 1, taps, taps);
        spreadBackwards(layer, this.layers[l - 1].dOutput, n);
      }
    }

    /* One step of Adam. */
    step(rate) {
      this.steps += 1;
      const { state, gradient, first, second, trained } = this;
      const bias1 = 1 - BETA1 ** this.steps, bias2 = Math.sqrt(1 - BETA2 ** this.steps);
      for (let i = 0; i < trained; i++) {
        const g = gradient[i];
        first[i] += (1 - BETA1) * (g - first[i]);
        second[i] += (1 - BETA2) * (g * g - second[i]);
        state[i] -= ((rate / bias1) * first[i]) / (Math.sqrt(second[i]) / bias2 + TINY);
      }
      const scale = this.view("logit_scale");
      if (scale[0] > MOST) scale[0] = MOST;
    }
  }

  function transpose(from, to, rows, columns) {
    for (let r = 0; r < rows; r++) for (let c = 0; c < columns; c++) to[c * rows + r] = from[r * columns + c];
  }

  /* The pixels under the nine taps of each place. A row's three taps lie side by side; only the upper and the left border
     are ever missed, since sides are even. */
  function spread(from, { inputs, taps, side, seen }, n) {
    const wide = 2 * side, run = 3 * inputs;
    for (let b = 0, to = 0; b < n; b++) {
      for (let y = 0; y < side; y++) {
        for (let x = 0; x < side; x++, to += taps - 9 * inputs) {
          for (let dy = -1; dy < 2; dy++, to += run) {
            const row = 2 * y + dy, skip = x ? 0 : inputs;
            if (row < 0) {
              for (let i = 0; i < run; i++) seen[to + i] = 0;
              continue;
            }
            const at = ((b * wide + row) * wide + 2 * x - 1) * inputs;
            for (let i = 0; i < skip; i++) seen[to + i] = 0;
            for (let i = skip; i < run; i++) seen[to + i] = from[at + i];
          }
        }
      }
    }
  }

  function spreadBackwards({ inputs, taps, side, dSeen }, to, n) {
    const wide = 2 * side, run = 3 * inputs;
    to.fill(0, 0, n * wide * wide * inputs);
    for (let b = 0, from = 0; b < n; b++) {
      for (let y = 0; y < side; y++) {
        for (let x = 0; x < side; x++, from += taps - 9 * inputs) {
          for (let dy = -1; dy < 2; dy++, from += run) {
            const row = 2 * y + dy;
            if (row < 0) continue;
            const at = ((b * wide + row) * wide + 2 * x - 1) * inputs;
            for (let i = x ? 0 : inputs; i < run; i++) to[at + i] += dSeen[from + i];
          }
        }
      }
    }
  }

  /* Batch normalization and what is above zero of it; `normal` keeps the normalized values for the way back. */
  function normalize(layer, places, training) {
    const { outputs, normal, out, gain, bias, mean, variance, scale } = layer, shift = new Float64Array(outputs);
    if (training) {
      const sum = new Float64Array(outputs), squares = new Float64Array(outputs);
      for (let r = 0, i = 0; r < places; r++) {
        for (let c = 0; c < outputs; c++, i++) {
          const value = normal[i];
          sum[c] += value;
          squares[c] += value * value;
        }
      }
      for (let c = 0; c < outputs; c++) {
        const m = sum[c] / places, v = Math.max(0, squares[c] / places - m * m);
        [shift[c], scale[c]] = [m, 1 / Math.sqrt(v + EPSILON)];
        mean[c] += MOMENTUM * (m - mean[c]);
        variance[c] += MOMENTUM * ((v * places) / (places - 1) - variance[c]); // unbiased, as PyTorch keeps it
      }
    } else {
      for (let c = 0; c < outputs; c++) [shift[c], scale[c]] = [mean[c], 1 / Math.sqrt(variance[c] + EPSILON)];
    }
    for (let r = 0, i = 0; r < places; r++) {
      for (let c = 0; c < outputs; c++, i++) {
        const value = (normal[i] - shift[c]) * scale[c], y = value * gain[c] + bias[c];
        normal[i] = value;
        out[i] = y > 0 ? y : 0;
      }
    }
  }

  function normalizeBackwards({ outputs, normal, out, dOutput, dNormal, gain, scale, dGain, dBias }, places) {
    const sum = new Float64Array(outputs), along = new Float64Array(outputs);
    for (let r = 0, i = 0; r < places; r++) {
      for (let c = 0; c < outputs; c++, i++) {
        const d = out[i] > 0 ? dOutput[i] : 0;
        dNormal[i] = d;
        sum[c] += d;
        along[c] += d * normal[i];
      }
    }
    for (let c = 0; c < outputs; c++) {
      [dBias[c], dGain[c]] = [sum[c], along[c]];
      sum[c] /= places;
      along[c] /= places;
    }
    for (let r = 0, i = 0; r < places; r++) {
      for (let c = 0; c < outputs; c++, i++) {
        dNormal[i] = gain[c] * scale[c] * (dNormal[i] - sum[c] - normal[i] * along[c]);
      }
    }
  }

  /* Lengths become 1. */
  function unit({ raw, unit: to }, n) {
    for (let i = 0; i < n * DIM; i += DIM) {
      let square = 0;
      for (let k = i; k < i + DIM; k++) square += raw[k] * raw[k];
      const factor = 1 / Math.sqrt(square + 1e-24);
      for (let k = i; k < i + DIM; k++) to[k] = raw[k] * factor;
    }
  }

  function unitBackwards({ raw, unit: to, dUnit, dRaw }, n) {
    for (let i = 0; i < n * DIM; i += DIM) {
      let square = 0, along = 0;
      for (let k = i; k < i + DIM; k++) {
        square += raw[k] * raw[k];
        along += to[k] * dUnit[k];
      }
      const factor = 1 / Math.sqrt(square + 1e-24);
      for (let k = i; k < i + DIM; k++) dRaw[k] = (dUnit[k] - to[k] * along) * factor;
    }
  }

  Object.assign(lib, { Clip, SIDE, DIM });
});
