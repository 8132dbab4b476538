/* CLIP's text tower in plain JavaScript: a sentence becomes tokens, and these a normalized embedding.

   A tower is what `tutorial_lib.course.live.words.words_script` writes. It knows the words that its training captions and
   class names have. Every other word becomes the token "unknown" and is reported; the library may know pieces of it. */
(() => {
  const course = globalThis.course;
  const PIECES = /'s|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^\s\p{L}\p{N}]+/gu;
  const UNKNOWN = 1;

  /* Abramowitz and Stegun 7.1.26 is good to 1.5e-7, as float32 is. */
  function erf(x) {
    const t = 1 / (1 + 0.3275911 * Math.abs(x));
    const tail = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t;
    return Math.sign(x) * (1 - tail * Math.exp(-x * x));
  }
  const gelu = (x) => 0.5 * x * (1 + erf(x / Math.SQRT2));

  /* out[o] = sum over i of weight[o, i] x[i], plus bias. */
  function linear(x, weight, bias) {
    const out = new Float32Array(bias.length), width = x.length;
    for (let o = 0; o < out.length; o++) {
      let sum = bias[o];
      for (let i = 0; i < width; i++) sum += weight[o * width + i] * x[i];
      out[o] = sum;
    }
    return out;
  }

  class TextTower {
    static async open(model) {
      return new TextTower(model, await course.tensorsOf(model));
    }

    constructor(model, tensor) {
      this.model = model;
      this.tensor = tensor;
      this.width = tensor["ln_final.bias"].length;
    }

    /* Token ids of a text, and the words that the tower has never read. */
    tokens(text) {
      const { start, end, context, words } = this.model, unread = [], ids = [];
      for (const piece of text.toLowerCase().match(PIECES) ?? []) {
        if (Object.hasOwn(words, piece)) ids.push(...words[piece]);
        else {
          ids.push(UNKNOWN);
          unread.push(piece);
        }
      }
      return { ids: [start, ...ids.slice(0, context - 2), end], unread };
    }

    norm(x, name) {
      const gain = this.tensor[`${name}.weight`], shift = this.tensor[`${name}.bias`];
      const mean = x.reduce((a, b) => a + b, 0) / x.length;
      const variance = x.reduce((a, b) => a + (b - mean) ** 2, 0) / x.length;
      return x.map((value, i) => ((value - mean) / Math.sqrt(variance + 1e-5)) * gain[i] + shift[i]);
    }

    block(rows, name) {
      const part = (which) => this.tensor[`${name}.${which}`], { width } = this, size = width / this.model.heads;
      const mixed = rows.map((x) => linear(this.norm(x, `${name}.ln_1`), part("attn.in_proj_weight"), part("attn.in_proj_bias")));
      const seen = rows.map((_, t) => {
        const out = new Float32Array(width);
        for (let from = 0; from < width; from += size) { // a head looks at this token and those before it
          const weights = course.softmax(mixed.slice(0, t + 1).map((other) => {
            let sum = 0;
            for (let i = from; i < from + size; i++) sum += mixed[t][i] * other[width + i];
            return sum / Math.sqrt(size);
          }));
          for (let i = from; i < from + size; i++) {
            for (let s = 0; s <= t; s++) out[i] += weights[s] * mixed[s][2 * width + i];
          }
        }
        return linear(out, part("attn.out_proj.weight"), part("attn.out_proj.bias"));
      });
      const after = rows.map((x, t) => x.map((value, i) => value + seen[t][i]));
      return after.map((x) => {
        const hidden = linear(this.norm(x, `${name}.ln_2`), part("mlp.c_fc.weight"), part("mlp.c_fc.bias")).map(gelu);
        const out = linear(hidden, part("mlp.c_proj.weight"), part("mlp.c_proj.bias"));
        return x.map((value, i) => value + out[i]);
      });
    }

    /* The normalized embedding of a text, read off at its last token. */
    embed(text) {
      const { ids } = this.tokens(text), { width, tensor } = this;
      const table = tensor["token_embedding.weight"], where = tensor.positional_embedding;
      let rows = ids.map((id, t) => Float32Array.from({ length: width }, (_, i) => table[id * width + i] + where[t * width + i]));
      for (let k = 0; tensor[`transformer.resblocks.${k}.ln_1.weight`]; k++) rows = this.block(rows, `transformer.resblocks.${k}`);
      const last = this.norm(rows.at(-1), "ln_final"), projection = tensor.text_projection, d = projection.length / width;
      const out = Float32Array.from({ length: d }, (_, k) => last.reduce((sum, value, i) => sum + value * projection[i * d + k], 0));
      const length = Math.hypot(...out);
      return out.map((value) => value / length);
    }
  }

  course.TextTower = TextTower;
})();
