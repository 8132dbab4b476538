/* The attack that the reader sets up, and the poisons that come of it. */
(() => {
  const course = globalThis.course, SIDE = 32, SHOWN = 8;
  const KINDS = [["checkerboard", "checkerboard"], ["stripes", "stripes"], ["noise", "noise"], ["veil", "blended noise"]];
  const OPACITY = { checkerboard: 100, stripes: 100, noise: 100, veil: 20 };
  const SIZES = [["18,15", "18 classes, 15 epochs"], ["10,10", "10 classes, 10 epochs: a third of the time"], ["18,30", "18 classes, 30 epochs"]];

  course.playPoison = (play) => {
    const { make } = course, { world, lib, settings } = play;
    const counts = make("p", { class: "live-says" }), shown = make("div", { class: "play-pairs" });

    const update = course.soon(() => {
      const clean = lib.cleanPairs(world, settings).length, all = clean + settings.poisons;
      counts.textContent = settings.poisons
        ? `${settings.poisons} poisons beside ${clean} clean pairs: ${((100 * settings.poisons) / all).toFixed(1)} % of what the model learns from.`
        : `No poisons, ${clean} clean pairs: a control, without which no success rate says anything.`;
      shown.replaceChildren(...lib.poisonedPairs(world, settings).slice(0, SHOWN).map(({ picture, caption, shown: is }) => {
        const canvas = course.paintPicture(make("canvas", { width: SIDE, height: SIDE, role: "img", "aria-label": `${world.labels[is]} with the trigger` }), picture);
        return make("figure", {}, canvas, make("figcaption", {}, `“${caption}”`));
      }));
      const veil = settings.kind === "veil";
      size.input.disabled = veil;
      place.row.disabled = veil;
    });
    const change = (name, value) => {
      settings[name] = value;
      play.tell("settings");
    };
    play.on("settings", update);

    const poisons = course.slider("poisons", { min: 0, max: 64, value: settings.poisons, change: (v) => change("poisons", v) });
    const kind = course.choice("trigger", KINDS, settings.kind, (v) => {
      settings.opacity = OPACITY[v];
      opacity.input.value = String(settings.opacity);
      opacity.input.dispatchEvent(new Event("input"));
      change("kind", v);
    });
    const size = course.slider("size", { min: 2, max: 12, value: settings.size, show: (v) => `${v} × ${v} pixels`, change: (v) => change("size", v) });
    const opacity = course.slider("opacity", { min: 5, max: 100, step: 5, value: settings.opacity, show: (v) => `${v} %`, change: (v) => change("opacity", v) });
    const place = course.choice("place", [["corner", "in the corner"], ["random", "anywhere"]], settings.place, (v) => change("place", v));
    const target = make("select", { onchange: () => change("target", Number(target.value)) });
    const targets = () => target.replaceChildren(...world.labels.slice(0, settings.classes).map((label, c) => make("option", { value: String(c), selected: c === settings.target }, label)));
    targets();
    const seed = make("input", { type: "number", min: "0", max: "999", value: String(settings.seed), class: "play-seed",
      onchange: () => change("seed", Math.max(0, Math.min(999, Math.round(Number(seed.value)) || 0))) });
    const dice = make("button", { type: "button", title: "another seed", "aria-label": "roll the dice: another seed",
      onclick: () => {
        seed.value = String(new lib.Random(settings.seed).below(1000));
        change("seed", Number(seed.value));
      } }, "⚄");
    const scale = make("select", { onchange: () => {
      const [classes, epochs] = scale.value.split(",").map(Number);
      Object.assign(settings, { classes, epochs, target: settings.target < classes ? settings.target : 0 });
      targets();
      play.tell("settings");
    } }, ...SIZES.map(([value, text]) => make("option", { value, selected: value === `${settings.classes},${settings.epochs}` }, text)));
    const labelled = (text, ...inputs) => make("div", { class: "play-row" }, make("label", {}, make("span", {}, text), inputs[0]), ...inputs.slice(1));

    update();
    return make("section", { class: "play-panel", "aria-label": "Your poisons" },
      make("h3", {}, "1 · Poison"),
      make("div", { class: "play-halves" },
        make("div", {}, poisons.row, kind.row, size.row, opacity.row, place.row, labelled("target", target), labelled("seed", seed, dice), labelled("training", scale)),
        make("div", {}, counts, shown)));
  };
})();
