/* The page's side of the engine: the pictures, a worker made of the engine's own source, and models to ask at once. */
(() => {
  const course = globalThis.course, SIDE = 32, BYTES = 3 * SIDE * SIDE;
  const LAST = ["end", "stopped", "found", "fail"];
  const DATA = "models/playground.js";
  course.load(DATA).catch(() => {}); // while the other scripts come; who needs it asks again, and hears of a failure
  const SLOTS = 8; // pictures that the page itself embeds at a time

  const decode = (base64) => Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));

  /* float16 as float32. */
  function halves(base64) {
    return Float32Array.from(new Uint16Array(decode(base64).buffer), (bits) => {
      const sign = bits & 0x8000 ? -1 : 1, exponent = (bits >> 10) & 31, fraction = bits & 1023;
      return sign * (exponent ? (1 + fraction / 1024) * 2 ** (exponent - 15) : fraction * 2 ** -24);
    });
  }

  /* The atlas as pixels, one picture after the other. `check` is the mean of each hundredth byte. */
  async function pixelsOf({ atlas, row, count, check }) {
    const image = new Image();
    image.src = `data:image/webp;base64,${atlas}`;
    await image.decode();
    const canvas = course.make("canvas", { width: image.width, height: image.height });
    const pen = canvas.getContext("2d", { willReadFrequently: true }), out = new Uint8Array(count * BYTES);
    pen.drawImage(image, 0, 0);
    for (let n = 0, to = 0; n < count; n++) {
      const { data } = pen.getImageData((n % row) * SIDE, Math.floor(n / row) * SIDE, SIDE, SIDE);
      for (let i = 0; i < data.length; i++) if (i % 4 < 3) out[to++] = data[i];
    }
    let sum = 0;
    for (let i = 0; i < out.length; i += 100) sum += out[i];
    if (Math.abs(sum / Math.ceil(out.length / 100) - check) > 1) {
      throw new Error("this browser hides the pixels of pictures from scripts; allow them for this page in its privacy settings");
    }
    return out;
  }

  /* What the page and its worker know: {world, code, start}, the latter a model trained beforehand. */
  course.playgroundWorld = async () => {
    await course.load(DATA);
    const { code, start, ...world } = course.playground;
    return {
      world: { ...world, atlas: undefined, pixels: await pixelsOf(world) },
      code: decode(code),
      start: { ...start, state: halves(start.state) },
    };
  };

  course.engine = () => {
    if (!course.lib) for (const part of course.parts) part((course.lib ??= {}));
    return course.lib;
  };

  /* {kind, ask(request, heard), tell(request)}: `kind` comes to say how it computes; `ask` ends with the last message of an
     answer, and hands the others to `heard`. Where the browser gives a page no worker, the page itself computes. */
  course.playgroundWorker = (world, code) => {
    let heard = () => {}, settle = () => {}, post;
    const listen = (message) => (LAST.includes(message.did) ? settle(message) : heard(message));
    const kind = new Promise((resolve, reject) => {
      const alone = () => {
        try {
          const session = new (course.engine().Session)(world, code, listen);
          post = (request) => session.hear(request).catch((error) => listen({ did: "fail", message: error.message }));
          resolve(`${session.net.products.kind}, without a worker`);
        } catch (error) {
          reject(error);
        }
      };
      try {
        const source = ["const lib = {};", ...course.parts.map((part) => `(${part})(lib);`), "lib.serve(self);"].join("\n");
        const worker = new Worker(URL.createObjectURL(new Blob([source], { type: "text/javascript" })));
        worker.onerror = alone; // while it starts: afterwards it reports its errors itself
        worker.onmessage = ({ data: { did, kind: how } }) => {
          if (did !== "ready") return alone();
          worker.onmessage = ({ data }) => listen(data);
          worker.onerror = ({ message }) => listen({ did: "fail", message });
          post = (request) => worker.postMessage(request);
          return resolve(how);
        };
        worker.postMessage({ world, code });
      } catch {
        alone();
      }
    });
    const ask = (request, during = () => {}) => new Promise((resolve, reject) => {
      heard = during;
      settle = (message) => (message.did === "fail" ? reject(new Error(message.message)) : resolve(message));
      kind.then(() => post(request)).catch(reject);
    });
    return { kind, ask, tell: (request) => post(request) };
  };

  /* What a model says to a few pictures, computed in the page: {load(model), scores(pictures)}. */
  course.playgroundReader = (world) => {
    const lib = course.engine(), words = lib.vocabulary(world.captions);
    const net = new lib.Clip(lib.plainProducts(), words.size, SLOTS);
    let loaded, names;
    return {
      load({ state, settings }) {
        if (loaded === state) return;
        loaded = state;
        net.load(state);
        names = lib.classifier(net, world, words, settings.classes);
      },
      /* Probabilities of the classes for each picture. */
      scores(pictures) {
        const embeddings = lib.embed(net, pictures), scale = Math.exp(net.view("logit_scale")[0]);
        return pictures.map((_, i) => {
          const own = embeddings.subarray(i * lib.DIM, (i + 1) * lib.DIM), classes = names.length / lib.DIM;
          const logits = Array.from({ length: classes }, (_, c) => {
            let sum = 0;
            for (let k = 0; k < lib.DIM; k++) sum += own[k] * names[c * lib.DIM + k];
            return scale * sum;
          });
          const most = Math.max(...logits), powers = logits.map((v) => Math.exp(v - most)), all = powers.reduce((a, b) => a + b);
          return powers.map((p) => p / all);
        });
      },
    };
  };

  /* A picture, row by row, red, green, blue, on a canvas of its size. */
  course.paintPicture = (canvas, pixels) => {
    const pen = canvas.getContext("2d"), shown = pen.createImageData(SIDE, SIDE);
    for (let i = 0, from = 0; i < shown.data.length; i++) shown.data[i] = i % 4 < 3 ? pixels[from++] : 255;
    pen.putImageData(shown, 0, 0);
    return canvas;
  };
})();
