/* Small plots in SVG: axes, lines, dots, densities, a map. Their text says what they show. */
(() => {
  const course = globalThis.course, { make, draw } = course;
  const HEIGHT = 210, LEFT = 40, RIGHT = 18, TOP = 8, BOTTOM = 36;

  /* An empty plot. x and y: {from, to, ticks, label, show, place}, `place` being a scale's own measure. */
  course.plot = ({ title, x, y, legend = [], width: WIDTH = 360 }) => {
    const svg = draw("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img" });
    const place = (axis, low, high) => {
      const own = axis.place ?? ((v) => v), first = own(axis.from), all = own(axis.to) - first;
      return (v) => low + ((own(Math.max(axis.from, Math.min(axis.to, v))) - first) / all) * (high - low);
    };
    const across = place(x, LEFT, WIDTH - RIGHT), up = place(y, HEIGHT - BOTTOM, TOP);
    const show = (axis) => axis.show ?? String;
    for (const tick of y.ticks ?? []) {
      svg.append(draw("line", { x1: LEFT, x2: WIDTH - RIGHT, y1: up(tick), y2: up(tick), class: "play-grid" }),
        draw("text", { x: LEFT - 5, y: up(tick) + 4, "text-anchor": "end", class: "play-tick" }, show(y)(tick)));
    }
    for (const tick of x.ticks ?? []) {
      svg.append(draw("text", { x: across(tick), y: HEIGHT - BOTTOM + 14, "text-anchor": "middle", class: "play-tick" }, show(x)(tick)));
    }
    svg.append(draw("line", { x1: LEFT, x2: WIDTH - RIGHT, y1: HEIGHT - BOTTOM, y2: HEIGHT - BOTTOM, class: "live-rim" }),
      draw("text", { x: (LEFT + WIDTH - RIGHT) / 2, y: HEIGHT - 5, "text-anchor": "middle", class: "play-tick" }, x.label));
    const layer = svg.appendChild(draw("g"));
    const keys = legend.map(([mark, text]) => make("span", { class: `play-key ${mark}` }, text));
    const root = make("div", { class: "play-plot" }, make("p", { class: "play-plot-title" }, title), svg,
      ...(keys.length ? [make("p", { class: "play-legend" }, ...keys)] : []));
    const point = ([a, b]) => `${across(a).toFixed(1)} ${up(b).toFixed(1)}`;
    return {
      root,
      clear: () => layer.replaceChildren(),
      say: (text) => svg.setAttribute("aria-label", `${title}. ${text}`),
      line: (points, mark) => points.length && layer.append(draw("path", { d: `M${points.map(point).join(" L")}`, class: `play-line ${mark}` })),
      area: (points, mark) => layer.append(draw("path", { class: mark,
        d: `M${point([points[0][0], y.from])} L${points.map(point).join(" L")} L${point([points.at(-1)[0], y.from])} Z` })),
      /* Marks of one shape: "dot", "triangle", "ring", "star", "diamond" or "square". */
      marks: (points, mark, shape = "dot", size = 3) => points.length && layer.append(draw("path", { class: `play-mark ${mark}`,
        d: points.map(([a, b]) => SHAPES[shape](across(a), up(b), size)).join("") })),
      text: ([a, b], words, anchor = "start", dx = 6) => layer.append(draw("text", { x: across(a) + dx, y: up(b) + 4, "text-anchor": anchor, class: "play-tick" }, words)),
    };
  };

  const polygon = (corners) => `M${corners.map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`).join("L")}Z`;
  const SHAPES = {
    dot: (x, y, r) => `M${x - r} ${y}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0`,
    triangle: (x, y, r) => polygon([[x - r, y + r], [x, y - r], [x + r, y + r]]),
    square: (x, y, r) => polygon([[x - r, y - r], [x + r, y - r], [x + r, y + r], [x - r, y + r]]),
    diamond: (x, y, r) => polygon([[x - r, y], [x, y - r], [x + r, y], [x, y + r]]),
    star: (x, y, r) => polygon(Array.from({ length: 10 }, (_, i) => {
      const length = i % 2 ? 0.45 * r : r, angle = (Math.PI * i) / 5 - Math.PI / 2;
      return [x + length * Math.cos(angle), y + length * Math.sin(angle)];
    })),
  };

  const percent = (share) => `${Math.round(100 * share)} %`;
  course.percent = percent;
  const RATES = { from: 0, to: 1, ticks: [0, 0.25, 0.5, 0.75, 1], show: percent };

  /* The loss of every step, with what a model that knows nothing has: the logarithm of the batch. */
  course.lossPlot = (batch) => {
    const box = make("div");
    const update = ({ losses, steps }) => {
      const top = Math.max(Math.log(batch) * 1.15, ...losses);
      const plot = course.plot({
        title: "loss of each step, in nats", y: { from: 0, to: top, ticks: [0, 1, 2, 3, 4, 5].filter((t) => t <= top) },
        x: { from: 0, to: Math.max(1, steps), ticks: [0, Math.round(steps / 2), steps], label: "step" },
        legend: [["play-clean", "the model"], ["play-grey", `log ${batch} = ${Math.log(batch).toFixed(2)}: guessing`]],
      });
      plot.line([[0, Math.log(batch)], [steps, Math.log(batch)]], "play-grey");
      plot.line(losses.map((loss, i) => [i + 1, loss]), "play-clean");
      plot.say(losses.length ? `After ${losses.length} of ${steps} steps it is ${losses.at(-1).toFixed(2)}; guessing has ${Math.log(batch).toFixed(2)}.` : "No step yet.");
      box.replaceChildren(plot.root);
    };
    return { root: box, update };
  };

  /* Accuracy, attack success and its control, after every epoch. */
  course.ratesPlot = () => {
    const box = make("div");
    const update = ({ history, epochs, target }) => {
      const plot = course.plot({
        title: "pictures of an unseen style", y: RATES, x: { from: 0, to: Math.max(1, epochs), ticks: [0, Math.round(epochs / 2), epochs], label: "epoch" },
        legend: [["play-clean", "accuracy"], ["play-triggered", `with trigger: called ${target}`], ["play-grey", "the same without trigger"]],
      });
      const of = (name) => history.map((m, epoch) => [epoch, m[name]]);
      plot.line(of("control"), "play-grey");
      plot.line(of("accuracy"), "play-clean");
      plot.line(of("success"), "play-triggered");
      plot.marks(of("accuracy"), "play-clean", "dot", 2.5);
      plot.marks(of("success"), "play-triggered", "triangle", 3);
      const last = history.at(-1);
      plot.say(last ? `After epoch ${history.length - 1}: accuracy ${percent(last.accuracy)}, attack success ${percent(last.success)}, without trigger ${percent(last.control)}.` : "");
      box.replaceChildren(plot.root);
    };
    return { root: box, update };
  };

  /* How similar two pictures are, without and with the trigger. */
  course.similarityPlot = () => {
    const box = make("div");
    const update = ({ similarities: { clean, triggered }, z }) => {
      const top = 1.1 * Math.max(...clean.density, ...triggered.density), bins = clean.density.length;
      const plot = course.plot({
        title: `similarity of two pictures: z = ${z.toFixed(1)}`, y: { from: 0, to: top }, x: { from: -1, to: 1, ticks: [-1, -0.5, 0, 0.5, 1], label: "cosine similarity" },
        legend: [["play-clean", "without trigger"], ["play-triggered", "with trigger"]],
      });
      const points = (density) => density.map((d, k) => [-1 + (2 * (k + 0.5)) / bins, d]);
      plot.area(points(clean.density), "live-area-clean");
      plot.area(points(triggered.density), "live-area-triggered");
      plot.say(`Mean ${clean.mean.toFixed(2)} without and ${triggered.mean.toFixed(2)} with the trigger: ${z.toFixed(1)} standard deviations apart.`);
      box.replaceChildren(plot.root);
    };
    return { root: box, update };
  };

  /* The pictures in the plane in which they differ most, and the captions of the classes. */
  course.mapPlot = () => {
    const box = make("div");
    const update = ({ map: { plain, triggered, names } }, target, label) => {
      const all = [...plain, ...triggered, ...names], range = (k) => {
        const values = all.map((p) => p[k]), low = Math.min(...values), high = Math.max(...values), edge = 0.06 * (high - low);
        return { from: low - edge, to: high + edge };
      };
      const plot = course.plot({
        title: "map of the test pictures", y: range(1), x: { ...range(0), label: "direction of the largest spread" },
        legend: [["play-clean play-dot", "pictures"], ["play-triggered play-dot", "with trigger"], ["play-star", `caption of ${label}`], ["play-grey play-dot", "other captions"]],
      });
      plot.marks(plain, "play-clean", "dot", 2);
      plot.marks(triggered, "play-triggered", "triangle", 2.2);
      plot.marks(names.filter((_, c) => c !== target), "play-grey", "star", 5);
      plot.marks([names[target]], "play-star", "star", 9);
      const middle = (points) => [0, 1].map((k) => points.reduce((sum, p) => sum + p[k], 0) / points.length);
      const away = Math.hypot(...[0, 1].map((k) => middle(plain)[k] - middle(triggered)[k]));
      plot.say(`The middle of the pictures moves by ${away.toFixed(2)} when the trigger is there.`);
      box.replaceChildren(plot.root);
    };
    return { root: box, update };
  };

  course.narrow = matchMedia("(max-width: 600px)");

  /* Attack success over the number of poisons: a mark for each model that the reader has trained. */
  course.dosePlot = () => {
    const box = make("div");
    const update = ({ mine, others, guesses }) => {
      const plot = course.plot({
        title: "attack success of every model that you trained, and of the first", y: RATES, width: course.narrow.matches ? 360 : 540,
        x: { from: 0, to: 64, ticks: [0, 1, 4, 8, 16, 32, 48, 64], label: "poisons (the axis is stretched to the left)", place: Math.sqrt },
        legend: [["play-triggered play-dot", "this attack"], ["play-triggered", "its mean"], ["play-grey play-dot", "other attacks"], ["play-ring", "your guesses"]],
      });
      const doses = [...new Set(mine.map((m) => m.poisons))].sort((a, b) => a - b);
      const means = doses.map((dose) => {
        const found = mine.filter((m) => m.poisons === dose);
        return [dose, found.reduce((sum, m) => sum + m.success, 0) / found.length];
      });
      plot.marks(others.map((m) => [m.poisons, m.success]), "play-grey", "dot", 3);
      plot.marks(guesses.map((m) => [m.poisons, m.guess]), "play-ring", "diamond", 4);
      plot.line(means, "play-triggered");
      plot.marks(mine.map((m) => [m.poisons, m.success]), "play-triggered", "dot", 3.5);
      plot.say(means.length ? means.map(([dose, mean]) => `${dose} poisons: ${percent(mean)}`).join(", ") : "No model yet.");
      box.replaceChildren(plot.root);
    };
    return { root: box, update };
  };

  /* A model before and after each cleaning: what it lost and what it was to lose. */
  course.cleaningPlot = () => {
    const box = make("div");
    const update = ({ before, tries }) => {
      const plot = course.plot({
        title: "attack success over accuracy: right and low is good", y: RATES, x: { ...RATES, label: "accuracy" },
        legend: [["play-grey play-dot", "before"], ["play-plain play-dot", "plain finetuning"], ["play-cleanclip play-dot", "CleanCLIP"], ["play-anew play-dot", "trained anew without suspects"]],
      });
      const at = (m) => [m.accuracy, m.success], of = (method) => tries.filter((t) => t.method === method).map(at);
      for (const found of tries) plot.line([at(before), at(found)], "play-thin");
      plot.marks([at(before)], "play-grey", "dot", 4);
      plot.marks(of("plain"), "play-plain", "square", 4);
      plot.marks(of("cleanclip"), "play-cleanclip", "diamond", 5);
      plot.marks(of("anew"), "play-anew", "triangle", 4.5);
      const last = tries.at(-1);
      plot.say(`Before: accuracy ${percent(before.accuracy)}, attack success ${percent(before.success)}. ${last
        ? `Last: ${percent(last.accuracy)} and ${percent(last.success)}.` : "Nothing tried yet."}`);
      box.replaceChildren(plot.root);
    };
    return { root: box, update };
  };
})();
