/* A trigger that the reader moves over a picture, and what a model and its clean twin make of it. */
(() => {
  const course = globalThis.course;
  const WIDTH = 288; // of the picture on the screen, in pixels
  const SHOWN = 5; // classes

  /* The picture with a patch at (x, y), rounded to whole brightness as a stored picture is. */
  function stamp(pixels, side, patch, size, x, y, opacity) {
    const out = Uint8Array.from(pixels);
    for (let row = 0; row < size; row++) {
      for (let col = 0; col < size; col++) {
        for (let k = 0; k < 3; k++) {
          const at = ((y + row) * side + x + col) * 3 + k;
          out[at] = Math.round((1 - opacity) * out[at] + opacity * patch[(row * size + col) * 3 + k]);
        }
      }
    }
    return out;
  }

  course.kinds.backdoor = async (element, data) => {
    const { make } = course, { side, target, names, twin } = data;
    const patches = data.patches.map(course.bytesOf);
    const pictures = data.pictures.map(({ label, pixels }) => ({ label, pixels: course.bytesOf(pixels) }));
    const towers = {};
    const state = { picture: 0, model: data.models[0], size: data.size, opacity: 1, x: data.margin, y: data.margin };

    async function tower(name) {
      if (!towers[name]) {
        await course.load(`models/${name}.js`);
        towers[name] = await course.PictureTower.open(course.models[name]);
      }
      return towers[name];
    }

    const canvas = make("canvas", {
      width: side, height: side, tabindex: "0", role: "application", "aria-roledescription": "picture with a movable trigger",
      style: `width: ${Math.max(WIDTH, side)}px`,
    });
    const bars = make("ol", { class: "live-bars" });
    const sentence = course.sentence();
    const truth = make("p", { class: "live-truth" });

    function pixels() {
      const { pixels: plain } = pictures[state.picture];
      if (!state.size || !state.opacity) return plain;
      return stamp(plain, side, patches[state.size - 1], state.size, state.x, state.y, state.opacity);
    }

    function says(name, scores) {
      const best = scores.indexOf(Math.max(...scores)), label = towers[name].model.labels[best];
      return `${label}, ${(100 * scores[best]).toFixed(0)}\u00a0%`;
    }

    function show(scores, beside) {
      const labels = towers[state.model].model.labels;
      const goal = labels.indexOf(target);
      const order = labels.map((_, k) => k).sort((a, b) => scores[b] - scores[a]);
      const shown = order.slice(0, SHOWN);
      if (!shown.includes(goal)) shown.push(goal);
      bars.replaceChildren(...shown.map((k) => make("li", k === goal ? { class: "live-target" } : {},
        make("span", { class: "live-label" }, labels[k]),
        make("span", { class: "live-track" }, make("span", { class: "live-bar", style: `width: ${100 * scores[k]}%` })),
        make("span", { class: "live-number" }, `${(100 * scores[k]).toFixed(1)} %`))));
      const where = state.size ? `trigger ${state.size} × ${state.size} at column ${state.x}, row ${state.y}` : "no trigger";
      const also = beside ? ` Its clean twin says: ${says(twin, beside)}.` : "";
      const text = `The ${names[state.model]} model says: ${says(state.model, scores)}.${also}`;
      sentence.say(text);
      truth.replaceChildren("What it shows: ", make("strong", {}, pictures[state.picture].label));
      canvas.setAttribute("aria-label", `${pictures[state.picture].label}, ${where}. Arrow keys move the trigger. ${text}`);
      element.dataset.says = labels[order[0]];
    }

    const update = course.soon(() => {
      const seen = pixels();
      course.paint(canvas, seen, side);
      const beside = state.model !== twin && towers[twin];
      show(towers[state.model].scores(seen), beside && beside.scores(seen));
    });

    function move(x, y) {
      const most = side - Math.max(1, state.size);
      state.x = Math.max(0, Math.min(most, x));
      state.y = Math.max(0, Math.min(most, y));
      update();
    }

    function follow(event) {
      const box = canvas.getBoundingClientRect();
      move(Math.round(((event.clientX - box.left) / box.width) * side - state.size / 2),
        Math.round(((event.clientY - box.top) / box.height) * side - state.size / 2));
    }
    canvas.addEventListener("pointerdown", (event) => {
      if (event.button || !event.isPrimary) return;
      canvas.setPointerCapture(event.pointerId);
      follow(event);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (canvas.hasPointerCapture(event.pointerId)) follow(event);
    });
    canvas.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
      if (!step || !course.plainKey(event)) return;
      event.preventDefault();
      move(state.x + step[0], state.y + step[1]);
    });

    const gallery = course.gallery(pictures, side, (index) => { state.picture = index; update(); });
    const { note } = gallery;
    const which = course.choice("model", data.models.map((name) => [name, names[name]]), state.model, async (name) => {
      try {
        note.textContent = towers[name] ? "" : `loading the ${names[name]} model …`;
        await tower(name);
        note.textContent = "";
        if (which.value() !== name) return; // another was chosen meanwhile
        state.model = name;
        update();
      } catch (error) {
        note.textContent = `That did not work: ${error.message}.`;
        which.set(state.model);
      }
    });
    const size = course.slider("size of the trigger", {
      min: 0, max: patches.length, value: state.size, show: (v) => (v ? `${v} × ${v} pixels` : "none"),
      change: (value) => { state.size = value; move(state.x, state.y); },
    });
    const opacity = course.slider("opacity", {
      min: 0, max: 100, value: 100, show: (v) => `${v} %`, change: (value) => { state.opacity = value / 100; update(); },
    });
    const back = make("button", {
      type: "button",
      onclick: () => {
        size.input.value = String(data.size);
        opacity.input.value = "100";
        [size, opacity].forEach(({ input }) => input.dispatchEvent(new Event("input")));
        move(data.margin, data.margin);
      },
    }, "trigger as in training");

    await tower(state.model);
    element.append(
      make("div", { class: "live-columns" }, // the answer beside the picture: in sight while one drags
        make("div", {}, canvas),
        make("div", { class: "live-answer" }, truth, ...sentence.rows, bars)),
      make("div", { class: "live-columns" },
        make("div", {}, gallery.thumbs, gallery.file),
        make("div", { class: "live-controls" }, which.row, size.row, opacity.row, back, note)));
    course.paint(canvas, pixels(), side);
    update();
    if (twin) { // after the first answer
      tower(twin).then(update, (error) => { note.textContent = `The clean twin does not answer: ${error.message}.`; });
    }
    Object.assign(element, { scores: async (name, given) => (await tower(name)).scores(given), pixels });
  };
})();
