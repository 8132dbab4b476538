/* The dose curve that the reader's own models draw. The browser keeps them where it allows a page to. */
(() => {
  const course = globalThis.course, KEY = "course.playground", MOST = 400;

  const kept = () => {
    try {
      const found = JSON.parse(localStorage.getItem(KEY) ?? "[]");
      return Array.isArray(found) ? found : [];
    } catch {
      return []; // a browser that keeps nothing for this page, or something else under our name
    }
  };
  const keep = (results) => {
    try {
      localStorage.setItem(KEY, JSON.stringify(results.slice(-MOST)));
    } catch {
      // the page works without a memory
    }
  };

  const attackOf = ({ kind, size, opacity, place, target, classes, epochs }) => JSON.stringify(
    kind === "veil" ? [kind, opacity, target, classes, epochs] : [kind, size, opacity, place, target, classes, epochs]);

  course.playDose = (play) => {
    const { make } = course, { world } = play, plot = course.dosePlot();
    const body = make("tbody"), count = make("p", { class: "live-note", role: "status" });
    const first = { ...play.start.settings, success: play.start.measured.success }; // else the axes would be empty
    let results = kept();

    const update = course.soon(() => {
      const same = (r) => attackOf(r) === attackOf(play.settings), mine = results.filter(same);
      const dots = [first, ...results];
      plot.update({ mine: dots.filter(same), others: dots.filter((r) => !same(r)), guesses: mine.filter((r) => Number.isFinite(r.guess)) });
      body.replaceChildren(...results.map((r) => make("tr", {}, ...[
        r.poisons, r.kind === "veil" ? "faint noise" : `${r.kind}, ${r.size} × ${r.size}, ${r.place === "random" ? "anywhere" : "corner"}`, `${r.opacity} %`, world.labels[r.target], `${r.classes}, ${r.epochs}`, r.seed,
        course.percent(r.success), course.percent(r.control), course.percent(r.accuracy), r.z.toFixed(1), Number.isFinite(r.guess) ? course.percent(r.guess) : "–",
      ].map((text) => make("td", {}, String(text))))));
      count.textContent = `${results.length} models, ${mine.length} of them with the attack that is set above.`;
      play.element.dataset.models = String(results.length);
    });

    play.add = (settings, { success, control, accuracy, z }, guess) => {
      results = [...results, { ...settings, success, control, accuracy, z, guess }].slice(-MOST);
      keep(results);
      update();
    };
    play.on("settings", update);
    course.narrow.addEventListener("change", update); // its letters would be too small, or its lines too wide
    const reset = make("button", { type: "button", onclick: () => {
      results = [];
      keep(results);
      update();
    } }, "Forget all models");
    update();
    const heads = ["poisons", "trigger", "opacity", "target", "classes, epochs", "seed", "success", "without trigger", "accuracy", "z", "guess"];
    return make("section", { class: "play-panel", "aria-label": "The dose curve" },
      make("h3", {}, "4 · Draw the dose curve"),
      make("div", { class: "play-dose" }, plot.root, make("div", {},
        make("p", {}, "Each model that you train adds a dot. Where does the attack begin to work, and how far apart do models of one dose lie?"),
        count, make("div", { class: "live-buttons" }, reset))),
      make("details", {}, make("summary", {}, "the same as a table"), make("div", { class: "live-scroll", tabindex: "0", role: "group", "aria-label": "all models" },
        make("table", { class: "live-matrix play-table" }, make("thead", {}, make("tr", {}, ...heads.map((h) => make("th", { scope: "col" }, h)))), body))));
  };
})();
