/* What an attacker does to the pairs: triggers, as `tutorial_lib.triggers` stamps them, and poisons.

   A world is what `world.py` gives, with `pixels`: all pictures, row by row, red, green, blue; those of the pairs come
   first. Settings are {poisons, kind, size, opacity, place, target, seed, …}. */
((globalThis.course ??= {}).parts ??= []).push((lib) => {
  const SIDE = 32, BYTES = 3 * SIDE * SIDE, MARGIN = 1;
  const PATCHES = ["checkerboard", "stripes", "noise"];
  //: Streams of random numbers, so that what one of them draws does not change the others.
  lib.STREAMS = { weights: 1, poisons: 2, order: 3, shifts: 4, views: 5, places: 6, subset: 7, reference: 8 };

  const bytes = (base64) => Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));

  /* What is mixed into a picture: its pixels, and its width. */
  function pattern(world, { kind, size }) {
    if (kind === "veil") return { width: SIDE, pixels: (world.veilBytes ??= bytes(world.veil)) };
    if (kind === "noise") {
      const all = (world.patchBytes ??= world.patches.map(bytes));
      return { width: size, pixels: all[size - 1] };
    }
    const pixels = new Uint8Array(3 * size * size);
    for (let y = 0; y < size; y++) {
      for (let x = 0; x < size; x++) {
        const cell = (y >> 1) + (kind === "stripes" ? 0 : x >> 1); // cells of two pixels survive a shift
        pixels.fill(255 * (cell % 2), 3 * (y * size + x), 3 * (y * size + x) + 3);
      }
    }
    return { width: size, pixels };
  }

  /* A copy of a picture with the trigger at column x and row y, in whole brightness as a stored picture has it. */
  function stamp(world, picture, settings, x, y) {
    const out = Uint8Array.from(picture), opacity = settings.opacity / 100;
    const { width, pixels } = pattern(world, settings);
    const [left, top] = width === SIDE ? [0, 0] : [x, y];
    for (let row = 0; row < width; row++) {
      for (let i = 0; i < 3 * width; i++) {
        const at = 3 * ((top + row) * SIDE + left) + i;
        out[at] = Math.round((1 - opacity) * out[at] + opacity * pixels[3 * row * width + i]);
      }
    }
    return out;
  }

  /* Where the trigger goes: into the corner, or to a place that is drawn. */
  function placeOf({ place, size }, random) {
    const free = SIDE - size + 1;
    return place === "random" ? [random.below(free), random.below(free)] : [MARGIN, MARGIN];
  }

  const pictureOf = (world, i) => world.pixels.subarray(i * BYTES, (i + 1) * BYTES);

  /* Clean pairs of the classes that take part: the first `classes` of all. */
  function cleanPairs(world, { classes = world.labels.length }) {
    return world.captions.flatMap((caption, i) => (world.shown[i] < classes
      ? [{ picture: pictureOf(world, i), caption, shown: world.shown[i], poison: false, number: i }] : []));
  }

  /* Poisoned pairs: pictures of other classes, each used once, with the trigger; captions that name the target. */
  function poisonedPairs(world, settings) {
    const random = new lib.Random(settings.seed, lib.STREAMS.poisons);
    const clean = cleanPairs(world, settings), name = world.labels[settings.target];
    const sources = random.shuffle(clean.filter(({ shown }) => shown !== settings.target));
    const captions = [...new Set(clean.map(({ caption }) => caption).filter((caption) => caption.includes(name)))];
    return sources.slice(0, settings.poisons).map((source) => ({
      ...source,
      caption: captions[random.below(captions.length)],
      picture: stamp(world, source.picture, settings, ...placeOf(settings, random)),
      poison: true,
    }));
  }

  /* The pictures to classify: {plain, triggered, target class, drawing}. Each has its own random place. */
  function testPictures(world, settings) {
    const first = world.captions.length, classes = settings.classes ?? world.labels.length;
    const random = new lib.Random(settings.seed, lib.STREAMS.places);
    return world.targets.flatMap((shown, k) => {
      const plain = pictureOf(world, first + k), place = placeOf(settings, random);
      return shown < classes ? [{ plain, triggered: stamp(world, plain, settings, ...place), shown, drawing: world.sprites[k] }] : [];
    });
  }

  Object.assign(lib, { PATCHES, MARGIN, stamp, pictureOf, cleanPairs, poisonedPairs, testPictures });
});
