/* The guess, the training, and its curves. */
(() => {
  const course = globalThis.course, SIDE = 32, WATCHED = 8, SEEDS = 5;

  /* Some triggered pictures, and what the model takes them for at the moment. */
  function watched(play) {
    const { make } = course, { world, reader, lib } = play, row = make("div", { class: "play-watched", role: "img" });
    let pictures = [];
    return {
      root: row,
      begin(settings) {
        const tests = lib.testPictures(world, settings);
        const first = [...Array(settings.classes).keys()].filter((c) => c !== settings.target).slice(0, WATCHED);
        pictures = first.map((c) => tests.find((t) => t.shown === c).triggered);
        row.replaceChildren(...pictures.map((picture) => make("figure", {},
          course.paintPicture(make("canvas", { width: SIDE, height: SIDE, "aria-hidden": "true" }), picture), make("figcaption", {}, "…"))));
      },
      update(model) {
        reader.load(model);
        const said = reader.scores(pictures).map(course.bestOf), { target } = model.settings;
        row.querySelectorAll("figcaption").forEach((caption, i) => {
          caption.textContent = world.labels[said[i]];
          caption.classList.toggle("play-fallen", said[i] === target);
        });
        const fallen = said.filter((c) => c === target).length;
        row.setAttribute("aria-label", `${fallen} of ${said.length} pictures with the trigger are called ${world.labels[target]}.`);
      },
    };
  }

  course.playTrain = (play) => {
    const { make } = course, { world, lib } = play, sentence = course.sentence(), watch = watched(play);
    const loss = course.lossPlot(lib.BATCH), rates = course.ratesPlot();
    const progress = make("progress", { max: "1", value: "0", "aria-label": "training" });
    let guess = null, asked = false;

    const guessed = course.slider("your guess", {
      min: 0, max: 100, step: 5, value: 50, show: (v) => `${v} %`, change: (v) => { guess = v; },
    });
    const key = ({ seed: _, ...attack }) => JSON.stringify(attack);
    let before = key(play.settings);
    play.on("settings", () => { // another attack, another guess
      if (key(play.settings) === before) return;
      before = key(play.settings);
      forget();
    });
    function forget() {
      [guess, asked] = [null, false];
      guessed.row.querySelector(".live-value").textContent = "?";
      guessed.input.setAttribute("aria-valuetext", "no guess yet");
    }
    forget();

    function draw(model) {
      loss.update(model);
      rates.update({ ...model, epochs: model.settings.epochs, target: world.labels[model.settings.target] });
    }

    /* Trains one model while the page shows it; gives it, or null where it was stopped. */
    async function train(settings, title) {
      const model = { title: "yours", settings, losses: [], history: [], steps: 1, note: ", in training" };
      watch.begin(settings);
      const hear = (message) => {
        model.losses.push(...(message.losses ?? []));
        if (message.did === "begin") {
          model.steps = message.steps;
          model.history.push(message.measured);
        } else if (message.did === "epoch") {
          Object.assign(model, { state: message.state, measured: message.measured });
          model.history.push(message.measured);
          watch.update(model);
          play.put("yours", model);
          sentence.say(`${title}epoch ${message.epoch} of ${settings.epochs}: attack success ${course.percent(message.measured.success)}, accuracy ${course.percent(message.measured.accuracy)}.`);
        }
        progress.value = model.losses.length / model.steps;
        draw(model);
      };
      const { did } = await play.worker.ask({ do: "train", settings }, hear);
      model.note = did === "end" ? "" : `, stopped after ${Math.max(0, model.history.length - 1)} epochs`;
      if (model.state) play.put("yours", model);
      return did === "end" ? model : null;
    }

    async function run(seeds) {
      if (guess === null && !asked) {
        asked = true;
        sentence.say("First your guess: how many of 100 pictures with the trigger will it call the target? Move the slider, or train again to go without.");
        guessed.input.focus();
        return;
      }
      const chosen = { ...play.settings }, own = guess, found = [];
      await play.work(async () => {
        for (let k = 0; k < seeds; k++) {
          const settings = { ...chosen, seed: chosen.seed + k };
          const model = await train(settings, seeds > 1 ? `Model ${k + 1} of ${seeds}, ` : "");
          if (!model) break;
          found.push(model.measured);
          play.add(settings, model.measured, own === null ? null : own / 100);
        }
        tell(found, chosen, own);
      }, (error) => sentence.say(`Training failed: ${error.message}.`));
    }

    function tell(found, settings, own) {
      if (!found.length) {
        sentence.say("Stopped.");
        return;
      }
      const said = own === null ? "" : ` You guessed ${own} %.`, { success, control, accuracy } = found.at(-1);
      const rates = found.map((m) => Math.round(100 * m.success));
      const what = world.labels[settings.target];
      sentence.say(found.length > 1
        ? `${found.length} models, which differ in their seed alone: attack success ${rates.join(", ")} %; mean ${Math.round(rates.reduce((a, b) => a + b) / rates.length)} %.${said}`
        : `With the trigger it calls ${course.percent(success)} of the pictures ${what}; without it ${course.percent(control)}. Accuracy ${course.percent(accuracy)}.${said}`);
      play.element.dataset.trained = rates.join(" ");
    }

    const button = (text, onclick) => make("button", { type: "button", onclick }, text);
    const start = button("Train", () => run(1)), five = button("Five seeds", () => run(SEEDS));
    start.classList.add("play-go");
    const pause = button("Pause", () => {
      play.paused = !play.paused;
      pause.textContent = play.paused ? "Go on" : "Pause";
      play.worker.tell({ do: play.paused ? "pause" : "resume" });
    });
    const stop = button("Stop", () => play.worker.tell({ do: "stop" }));
    play.on("busy", () => {
      for (const b of [start, five]) b.disabled = play.busy;
      for (const b of [pause, stop]) b.disabled = !play.busy;
      play.paused = false;
      pause.textContent = "Pause";
    });

    const how = make("p", { class: "live-note" });
    play.worker.kind.then((kind) => { how.textContent = `Computed by ${kind} in this page.`; },
      (error) => { how.textContent = `Nothing can be trained here: ${error.message}.`; });
    watch.begin(play.start.settings);
    watch.update(play.start);
    draw(play.start);
    sentence.say("Shown below: the model that was trained beforehand, with 64 poisons.");
    return make("section", { class: "play-panel", "aria-label": "Guess, then train" },
      make("h3", {}, "2 · Guess, then train"),
      make("p", {}, "Of 100 test pictures with the trigger, how many will your model take for the target?"),
      guessed.row,
      make("div", { class: "live-buttons" }, start, five, pause, stop, progress),
      ...sentence.rows, watch.root, make("div", { class: "play-halves" }, loss.root, rates.root),
      how);
  };
})();
