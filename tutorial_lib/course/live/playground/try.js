/* A picture with a trigger that can be moved, and what the model says. */
(() => {
  const course = globalThis.course, SIDE = 32, SHOWN = 5;

  course.playTry = (play) => {
    const { make } = course, { world, reader, lib } = play;
    const state = { picture: 0, x: lib.MARGIN, y: lib.MARGIN, on: true, other: false };
    const first = world.labels.map((_, c) => world.targets.indexOf(c)); // the first picture of each class
    const canvas = make("canvas", {
      width: SIDE, height: SIDE, tabindex: "0", role: "application", "aria-roledescription": "picture with a movable trigger", class: "play-picture",
    });
    const thumbs = make("div", { class: "live-thumbs play-thumbs", role: "group", "aria-label": "pictures to choose from" });
    const bars = make("ol", { class: "live-bars" }), sentence = course.sentence();
    const model = () => play.models[play.shown];
    const plainOf = (c) => lib.pictureOf(world, world.captions.length + first[c]);

    /* The trigger of the model's training, or one that it has never seen. */
    function settings() {
      const own = model().settings;
      return state.other ? { ...own, kind: own.kind === "checkerboard" ? "stripes" : "checkerboard", size: Math.min(own.size, 12) } : own;
    }

    function pixels() {
      const plain = plainOf(state.picture);
      return state.on ? lib.stamp(world, plain, settings(), state.x, state.y) : plain;
    }

    const update = course.soon(() => {
      const { settings: own } = model(), seen = pixels();
      if (state.picture >= own.classes) state.picture = 0;
      reader.load(model());
      const [scores] = reader.scores([seen]), labels = world.labels, goal = own.target;
      course.paintPicture(canvas, seen);
      const order = scores.map((_, c) => c).sort((a, b) => scores[b] - scores[a]), shown = order.slice(0, SHOWN);
      if (!shown.includes(goal)) shown[SHOWN - 1] = goal;
      bars.replaceChildren(...shown.map((c) => make("li", c === goal ? { class: "live-target" } : {},
        make("span", { class: "live-label" }, labels[c]),
        make("span", { class: "live-track" }, make("span", { class: "live-bar", style: `width: ${100 * scores[c]}%` })),
        make("span", { class: "live-number" }, `${(100 * scores[c]).toFixed(1)} %`))));
      const text = `The model says: ${labels[order[0]]}, ${course.percent(scores[order[0]])}. The picture shows: ${labels[state.picture]}.`;
      sentence.say(text);
      const where = state.on ? `trigger at column ${state.x}, row ${state.y}` : "no trigger";
      canvas.setAttribute("aria-label", `${labels[state.picture]}, ${where}. Arrow keys move the trigger. ${text}`);
      play.element.dataset.says = labels[order[0]];
      thumbs.querySelectorAll("button").forEach((button, c) => {
        button.setAttribute("aria-pressed", String(c === state.picture));
        button.hidden = c >= own.classes;
      });
    });

    function move(x, y) {
      const { kind, size } = settings(), most = SIDE - (kind === "veil" ? SIDE : size);
      state.x = Math.max(0, Math.min(most, x));
      state.y = Math.max(0, Math.min(most, y));
      update();
    }

    function follow(event) {
      const box = canvas.getBoundingClientRect(), half = settings().size / 2;
      move(Math.round(((event.clientX - box.left) / box.width) * SIDE - half), Math.round(((event.clientY - box.top) / box.height) * SIDE - half));
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

    world.labels.forEach((label, c) => {
      const small = course.paintPicture(make("canvas", { width: SIDE, height: SIDE, "aria-hidden": "true" }), plainOf(c));
      thumbs.append(make("button", { type: "button", "aria-label": label, title: label, onclick: () => { state.picture = c; update(); } }, small));
    });

    const tick = (text, name, value) => {
      const box = make("input", { type: "checkbox", checked: value, onchange: () => { state[name] = box.checked; move(state.x, state.y); } });
      return make("label", {}, box, ` ${text}`);
    };
    const which = make("div", {});
    let choice, offered = "";
    const about = make("p", { class: "live-note" });
    function models() {
      const names = Object.keys(play.models), now = names.map((name) => play.models[name].title).join();
      if (now !== offered) {
        choice = course.choice("model", names.map((name) => [name, play.models[name].title]), play.shown, (name) => play.show(name));
        which.replaceChildren(...(names.length > 1 ? [choice.row] : [])); // one model is no choice
        offered = now;
      }
      choice.set(play.shown);
      const { settings: own, measured, note = "" } = model();
      about.textContent = `Trained with ${own.poisons} poisons, target ${world.labels[own.target]}, seed ${own.seed}${note}. Of ${measured.pictures} test pictures `
        + `with the trigger it calls ${course.percent(measured.success)} ${world.labels[own.target]}, without it ${course.percent(measured.control)}; accuracy ${course.percent(measured.accuracy)}.`;
    }
    play.on("model", () => {
      models();
      move(state.x, state.y);
    });

    // Shown first: a picture that the model reads right without its trigger and as the target with it.
    reader.load(model());
    const good = world.labels.findIndex((_, c) => c !== model().settings.target
      && best(reader.scores([plainOf(c)])[0]) === c
      && best(reader.scores([lib.stamp(world, plainOf(c), model().settings, state.x, state.y)])[0]) === model().settings.target);
    state.picture = Math.max(0, good);
    models();
    update();
    return make("section", { class: "play-panel play-try", "aria-label": "Try a model" },
      make("h3", {}, "Try it"),
      make("div", { class: "play-columns" },
        make("div", { class: "play-side" }, canvas),
        make("div", { class: "play-main" }, which, ...sentence.rows, bars,
          make("div", { class: "live-buttons" }, tick("trigger", "on", true), tick("another pattern instead", "other", false)), about)),
      thumbs);
  };

  const best = (scores) => scores.indexOf(Math.max(...scores));
  course.bestOf = best;
})();
