/* The defender's side: looking for the poisons, and cleaning the model. */
(() => {
  const course = globalThis.course, SIDE = 32, SUSPECTS = 12;
  const CLEANING = { epochs: 8, rates: [1, 2, 4, 8], lambda: 1 };

  /* The pairs that lie most alone, and training without them. */
  function finder(play, tried) {
    const { make } = course, { world, lib } = play, sentence = course.sentence(), outcome = course.sentence(), suspects = make("div", { class: "play-pairs play-suspects" });
    let found = null;
    const method = course.choice("score", [["distance", "distance to the 16th"], ["dao", "corrected for dimension (DAO)"]], "distance", () => {});
    const reference = course.slider("random part", { min: 32, max: 704, step: 32, value: 128, show: (v) => `${v} pairs`, change: () => {} });
    const share = course.slider("throw out", { min: 1, max: 30, value: 10, show: (v) => `${v} % of pairs`, change: () => tell() });
    const chosen = () => found.order.slice(0, Math.round((found.order.length * Number(share.input.value)) / 100));

    function tell() {
      if (!found) return;
      const gone = chosen(), caught = gone.filter((i) => found.poison[i]).length, all = found.poison.filter(Boolean).length;
      sentence.say(all
        ? `Among the ${gone.length} most suspicious pairs are ${caught} of ${all} poisons. A poison is more suspicious than a clean pair with probability ${found.area.toFixed(2)}. The random part held ${found.inReference} poisons.`
        : `There are no poisons, and still ${gone.length} pairs are called suspicious: a detector has to be told how many.`);
      play.element.dataset.found = `${caught} ${all}`;
    }

    const find = make("button", { type: "button", onclick: () => play.work(async () => {
      const { state, settings } = play.own();
      found = await play.worker.ask({ do: "find", state, settings, method: method.value(), reference: Number(reference.input.value) });
      found.settings = settings;
      const pairs = [...lib.cleanPairs(world, settings), ...lib.poisonedPairs(world, settings)];
      suspects.replaceChildren(...found.order.slice(0, SUSPECTS).map((i) => make("figure", found.poison[i] ? { class: "play-poison" } : {},
        course.paintPicture(make("canvas", { width: SIDE, height: SIDE, role: "img", "aria-label": `${found.poison[i] ? "poison" : "clean"}: ${pairs[i].caption}` }), pairs[i].picture),
        make("figcaption", { "aria-hidden": "true" }, found.poison[i] ? "poison" : "clean"))));
      tell();
    }, (error) => sentence.say(`That did not work: ${error.message}.`)) }, "Find the poisons");
    const anew = make("button", { type: "button", onclick: () => {
      if (!found) {
        outcome.say("Find the poisons first.");
        return;
      }
      play.work(() => tried("anew", { do: "train", settings: found.settings, removed: chosen() }, found.settings, outcome),
        (error) => outcome.say(`That did not work: ${error.message}.`));
    } }, "Train anew without them");
    play.on("busy", () => { for (const b of [find, anew]) b.disabled = play.busy; });
    play.on("own", () => {
      found = null;
      suspects.replaceChildren();
      for (const said of [sentence, outcome]) said.say("");
    });
    return make("div", {}, make("h4", {}, "Find the poisons"),
      make("p", {}, "A pair is suspicious if its picture lies far from its 16 nearest pictures in a random part of the data."), method.row, reference.row, share.row,
      make("div", { class: "live-buttons" }, find, anew), ...sentence.rows, suspects, ...outcome.rows);
  }

  function cleaner(play, tried) {
    const { make } = course, { lib } = play, sentence = course.sentence();
    const method = course.choice("method", [["plain", "plain finetuning"], ["cleanclip", "CleanCLIP"]], "cleanclip", () => {});
    const share = course.slider("trusted pairs", { min: 10, max: 100, step: 10, value: 100, show: (v) => `${v} % of all`, change: () => {} });
    const rate = course.slider("learning rate", { min: 0, max: CLEANING.rates.length - 1, value: 2, show: (k) => `${CLEANING.rates[k]} / 1000`, change: () => {} });
    const clean = make("button", { type: "button", onclick: () => play.work(async () => {
      const { state, settings } = play.own(), chosen = method.value();
      await tried(chosen, {
        do: "clean", state, settings, share: Number(share.input.value) / 100, lambda: chosen === "cleanclip" ? CLEANING.lambda : 0,
        epochs: CLEANING.epochs, rate: CLEANING.rates[Number(rate.input.value)] / 1000,
      }, settings, sentence);
    }, (error) => sentence.say(`That did not work: ${error.message}.`)) }, "Clean it");
    play.on("busy", () => { clean.disabled = play.busy; });
    play.on("own", () => sentence.say(""));
    return make("div", {}, make("h4", {}, "Clean it"), method.row, share.row, rate.row, make("div", { class: "live-buttons" }, clean), ...sentence.rows,
      make("p", { class: "live-note" }, `${CLEANING.epochs} epochs of ${lib.BATCH} pairs a step. A defender sees accuracy on clean pictures alone, never the success.`));
  }

  course.playDefend = (play) => {
    const { make } = course, plot = course.cleaningPlot(), whose = make("p", {});
    let tries = [];
    const titles = { plain: "plain finetuning", cleanclip: "CleanCLIP", anew: "trained anew" };

    /* Cleans or trains anew, shows the outcome as the model "cleaned", and compares it with the model before. */
    async function tried(method, request, settings, sentence) {
      const before = play.own().measured;
      const hear = ({ did, epoch, measured, state }) => {
        if (did !== "epoch") return;
        play.put("cleaned", { title: `cleaned (${titles[method]})`, settings, state, measured, note: `, then: ${titles[method]}` });
        sentence.say(`Epoch ${epoch}: attack success ${course.percent(measured.success)}, accuracy ${course.percent(measured.accuracy)}.`);
      };
      const { did, measured } = await play.worker.ask(request, hear);
      if (did !== "end") {
        sentence.say("Stopped.");
        return;
      }
      tries.push({ method, ...measured });
      plot.update({ before, tries });
      sentence.say(`${titles[method][0].toUpperCase()}${titles[method].slice(1)}: attack success ${course.percent(before.success)} before, ${course.percent(measured.success)} after; `
        + `accuracy ${course.percent(before.accuracy)} before, ${course.percent(measured.accuracy)} after.`);
      play.element.dataset.cleaned = `${method} ${Math.round(100 * measured.success)}`;
    }

    function renew() {
      const own = play.own(), { settings } = own, name = own === play.start ? "the model trained beforehand" : "your last model";
      tries = [];
      whose.textContent = `The patient: ${name}, ${settings.poisons} poisons, seed ${settings.seed}. Train another, and it takes its place.`;
      plot.update({ before: play.own().measured, tries });
    }
    play.on("own", renew);
    renew();
    return make("section", { class: "play-panel", "aria-label": "Defend" },
      make("h3", {}, "5 · Defend"), whose,
      make("div", { class: "play-halves" }, finder(play, tried), make("div", {}, cleaner(play, tried), plot.root)));
  };
})();
