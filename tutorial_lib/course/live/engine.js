/* The picture tower of a CLIP ResNet in plain JavaScript, and zero-shot scores from its embedding.

   A model is what `tutorial_lib.course.live.model_script` writes: names and shapes of open_clip's tensors, their values in
   float16 (all low bytes, then all high ones, gzipped), and the classes' text embeddings. Batch normalization is folded into the convolutions when a model is opened.
   Tensors are {data, c, h, w}: channels, rows, columns. */
(() => {
  const course = (globalThis.course ??= {});
  course.models ??= {}; // filled by the models' scripts

  function bytes(base64) {
    const text = atob(base64);
    const out = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) out[i] = text.charCodeAt(i);
    return out.buffer;
  }

  const unzip = (packed) => new Response(
    new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();

  /* Every float16 as a float32; there are only 65,536. */
  let table;
  function halves() {
    if (table) return table;
    table = new Float32Array(65536);
    for (let bits = 0; bits < 65536; bits++) {
      const sign = bits & 0x8000 ? -1 : 1, exponent = (bits >> 10) & 31, fraction = bits & 1023;
      table[bits] = sign * (exponent === 0 ? fraction * 2 ** -24
        : exponent === 31 ? (fraction ? NaN : Infinity)
        : (1 + fraction / 1024) * 2 ** (exponent - 15));
    }
    return table;
  }

  course.tensorsOf = async (model) => {
    const plane = new Uint8Array(await unzip(bytes(model.weights))), high = plane.length / 2;
    const value = halves(), found = {};
    let start = 0;
    for (const [name, shape] of model.tensors) {
      const size = shape.reduce((a, b) => a * b, 1), weights = (found[name] = new Float32Array(size));
      for (let i = 0; i < size; i++) weights[i] = value[plane[start + i] | (plane[high + start + i] << 8)];
      start += size;
    }
    return found;
  };

  /* out (O x P) = weight (O x K) times columns (K x P), plus bias: four rows of weights at a time. */
  function product(weight, bias, columns, O, K, P) {
    const out = new Float32Array(O * P);
    for (let o = 0; o < O; o++) out.fill(bias[o], o * P, (o + 1) * P);
    let o = 0;
    for (; o + 3 < O; o += 4) {
      const r0 = o * P, r1 = r0 + P, r2 = r1 + P, r3 = r2 + P;
      for (let k = 0; k < K; k++) {
        const w = o * K + k, w0 = weight[w], w1 = weight[w + K], w2 = weight[w + 2 * K], w3 = weight[w + 3 * K];
        for (let p = 0, c = k * P; p < P; p++, c++) {
          const x = columns[c];
          out[r0 + p] += w0 * x; out[r1 + p] += w1 * x; out[r2 + p] += w2 * x; out[r3 + p] += w3 * x;
        }
      }
    }
    for (; o < O; o++) {
      for (let k = 0; k < K; k++) {
        const w = weight[o * K + k];
        for (let p = 0; p < P; p++) out[o * P + p] += w * columns[k * P + p];
      }
    }
    return out;
  }

  /* The same for few columns, where long sums are faster. */
  function narrowProduct(weight, bias, columns, O, K, P) {
    const out = new Float32Array(O * P), column = new Float32Array(K);
    for (let p = 0; p < P; p++) {
      for (let k = 0; k < K; k++) column[k] = columns[k * P + p];
      for (let o = 0; o < O; o++) {
        let sum = bias[o];
        for (let k = 0, w = o * K; k < K; k++, w++) sum += weight[w] * column[k];
        out[o * P + p] = sum;
      }
    }
    return out;
  }

  /* The pixels under each tap of a 3x3 kernel with a border of zeros: (9 C) x (rows * columns). */
  function taps({ data, c, h, w }, stride) {
    const rows = Math.floor((h - 1) / stride) + 1, cols = Math.floor((w - 1) / stride) + 1;
    const out = new Float32Array(9 * c * rows * cols);
    let at = 0;
    for (let channel = 0; channel < c; channel++) {
      for (let dy = -1; dy < 2; dy++) {
        for (let dx = -1; dx < 2; dx++) {
          for (let y = 0; y < rows; y++) {
            const row = y * stride + dy;
            for (let x = 0; x < cols; x++, at++) {
              const col = x * stride + dx;
              if (row >= 0 && row < h && col >= 0 && col < w) out[at] = data[(channel * h + row) * w + col];
            }
          }
        }
      }
    }
    return { columns: out, rows, cols };
  }

  function averagePool({ data, c, h, w }, n) {
    const rows = Math.floor(h / n), cols = Math.floor(w / n), out = new Float32Array(c * rows * cols);
    for (let channel = 0; channel < c; channel++) {
      for (let y = 0; y < rows; y++) {
        for (let x = 0; x < cols; x++) {
          let sum = 0;
          for (let dy = 0; dy < n; dy++) {
            for (let dx = 0; dx < n; dx++) sum += data[(channel * h + y * n + dy) * w + x * n + dx];
          }
          out[(channel * rows + y) * cols + x] = sum / (n * n);
        }
      }
    }
    return { data: out, c, h: rows, w: cols };
  }

  const rectify = (map) => {
    for (let i = 0; i < map.data.length; i++) if (map.data[i] < 0) map.data[i] = 0;
    return map;
  };

  class PictureTower {
    static async open(model) {
      return new PictureTower(model, await course.tensorsOf(model));
    }

    constructor(model, tensor) {
      this.model = model;
      this.side = model.side;
      this.tensor = tensor;
      this.folded = new Map();
      this.classifier = new Float32Array(bytes(model.classifier)); // (classes, d), normalized
    }

    /* Weight and bias of a convolution and the batch normalization after it. */
    fold(conv, norm) {
      if (!this.folded.has(conv)) {
        const weight = this.tensor[`${conv}.weight`].slice();
        const [gain, shift, mean, variance] = ["weight", "bias", "running_mean", "running_var"]
          .map((part) => this.tensor[`${norm}.${part}`]);
        const outputs = gain.length, inputs = weight.length / outputs, bias = new Float32Array(outputs);
        for (let o = 0; o < outputs; o++) {
          const factor = gain[o] / Math.sqrt(variance[o] + 1e-5);
          for (let k = 0; k < inputs; k++) weight[o * inputs + k] *= factor;
          bias[o] = shift[o] - mean[o] * factor;
        }
        this.folded.set(conv, { weight, bias, inputs, outputs });
      }
      return this.folded.get(conv);
    }

    convolve(map, conv, norm, stride = 1) {
      const { weight, bias, inputs, outputs } = this.fold(conv, norm);
      const { columns, rows, cols } = inputs === map.c
        ? { columns: map.data, rows: map.h, cols: map.w } : taps(map, stride);
      const multiply = rows * cols < 16 ? narrowProduct : product;
      return { data: multiply(weight, bias, columns, outputs, inputs, rows * cols), c: outputs, h: rows, w: cols };
    }

    block(map, name, stride) {
      let out = rectify(this.convolve(map, `${name}.conv1`, `${name}.bn1`));
      out = rectify(this.convolve(out, `${name}.conv2`, `${name}.bn2`));
      if (stride > 1) out = averagePool(out, stride);
      out = this.convolve(out, `${name}.conv3`, `${name}.bn3`);
      let skipped = map;
      if (this.tensor[`${name}.downsample.0.weight`]) {
        if (stride > 1) skipped = averagePool(map, stride);
        skipped = this.convolve(skipped, `${name}.downsample.0`, `${name}.downsample.1`);
      }
      for (let i = 0; i < out.data.length; i++) out.data[i] += skipped.data[i];
      return rectify(out);
    }

    linear(name, token) {
      const weight = this.tensor[`attnpool.${name}.weight`], bias = this.tensor[`attnpool.${name}.bias`];
      return narrowProduct(weight, bias, token, bias.length, token.length, 1);
    }

    /* What the mean of all places finds when it looks at them. */
    attend({ data, c, h, w }) {
      const places = h * w, where = this.tensor["attnpool.positional_embedding"], tokens = [];
      for (let t = 0; t <= places; t++) {
        const token = new Float32Array(c);
        for (let i = 0; i < c; i++) {
          let value = 0;
          if (t) value = data[i * places + t - 1];
          else for (let p = 0; p < places; p++) value += data[i * places + p] / places;
          token[i] = value + where[t * c + i];
        }
        tokens.push(token);
      }
      const query = this.linear("q_proj", tokens[0]);
      const keys = tokens.map((token) => this.linear("k_proj", token));
      const values = tokens.map((token) => this.linear("v_proj", token));
      const width = c / this.model.heads, pooled = new Float32Array(c);
      for (let start = 0; start < c; start += width) {
        const weights = course.softmax(keys.map((key) => {
          let sum = 0;
          for (let i = start; i < start + width; i++) sum += query[i] * key[i];
          return sum / Math.sqrt(width);
        }));
        for (let i = start; i < start + width; i++) pooled[i] = values.reduce((sum, v, t) => sum + weights[t] * v[i], 0);
      }
      return this.linear("c_proj", pooled);
    }

    /* The normalized embedding of a picture of side x side pixels, red, green, blue, as bytes. */
    embed(pixels) {
      const size = this.side * this.side, data = new Float32Array(3 * size), { mean, std } = this.model;
      for (let i = 0; i < size; i++) {
        for (let k = 0; k < 3; k++) data[k * size + i] = (pixels[3 * i + k] / 255 - mean[k]) / std[k];
      }
      let map = { data, c: 3, h: this.side, w: this.side };
      map = rectify(this.convolve(map, "conv1", "bn1", 2));
      map = rectify(this.convolve(map, "conv2", "bn2"));
      map = averagePool(rectify(this.convolve(map, "conv3", "bn3")), 2);
      for (let layer = 1; layer <= 4; layer++) {
        for (let k = 0; this.tensor[`layer${layer}.${k}.conv1.weight`]; k++) {
          map = this.block(map, `layer${layer}.${k}`, layer > 1 && k === 0 ? 2 : 1);
        }
      }
      const out = this.attend(map), norm = Math.hypot(...out);
      return out.map((value) => value / norm);
    }

    /* The probability of each class. */
    scores(pixels) {
      const embedding = this.embed(pixels), d = embedding.length;
      return course.softmax(this.model.labels.map((_, k) => {
        let sum = 0;
        for (let i = 0; i < d; i++) sum += embedding[i] * this.classifier[k * d + i];
        return this.model.scale * sum;
      }));
    }
  }

  course.softmax = (values) => {
    const most = Math.max(...values), powers = values.map((v) => Math.exp(v - most));
    const sum = powers.reduce((a, b) => a + b, 0);
    return powers.map((p) => p / sum);
  };
  course.PictureTower = PictureTower;
})();
