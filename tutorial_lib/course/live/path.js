/* From one model to another along the straight line between their weights, with what both rates do on the way.

   data: {from, to, target, side, pictures: [{label, pixels, triggered}], points: [[share of the way, success, accuracy]]} */
(() => {
  const course = globalThis.course;
  const WIDTH = 224, SHOWN = 5; // of the picture on the screen, in pixels; classes
  const CHART = { width: 380, height: 190, left: 44, right: 8, top: 10, bottom: 34 };

  /* A tower whose weights and class embeddings lie so far between those of two others. */
  function between(a, b, share) {
    const mix = (x, y) => x.map((value, i) => (1 - share) * value + share * y[i]);
    const tensor = Object.fromEntries(Object.entries(a.tensor).map(([name, values]) => [name, mix(values, b.tensor[name])]));
    const tower = new course.PictureTower(a.model, tensor), d = tower.classifier.length / a.model.labels.length;
    tower.classifier = mix(a.classifier, b.classifier);
    for (let start = 0; start < tower.classifier.length; start += d) {
      const row = tower.classifier.subarray(start, start + d), length = Math.hypot(...row);
      row.forEach((value, i) => { row[i] = value / length; });
    }
    tower.scale = (1 - share) * a.model.scale + share * b.model.scale;
    return tower;
  }

  function chart(points) {
    const { draw } = course, { width, height, left, right, top, bottom } = CHART;
    const x = (share) => left + share * (width - left - right), y = (rate) => height - bottom - rate * (height - bottom - top);
    const svg = draw("svg", { viewBox: `0 0 ${width} ${height}`, class: "live-density", role: "img",
      "aria-label": "attack success and clean accuracy on the way from the poisoned model to the cleaned one" });
    for (const rate of [0, 0.5, 1]) {
      svg.append(draw("line", { x1: left, x2: width - right, y1: y(rate), y2: y(rate), class: "live-rim" }),
        draw("text", { x: left - 5, y: y(rate) + 4, "text-anchor": "end", class: "live-tick" }, `${100 * rate} %`));
    }
    svg.append(draw("text", { x: left, y: height - 6, class: "live-tick" }, "poisoned"),
      draw("text", { x: width - right, y: height - 6, "text-anchor": "end", class: "live-tick" }, "cleaned"));
    for (const [k, colour] of [[1, "second"], [2, "first"]]) {
      const d = `M${points.map((p) => `${x(p[0]).toFixed(1)} ${y(p[k]).toFixed(1)}`).join("L")}`;
      svg.append(draw("path", { class: "live-curve", style: `stroke: var(--live-${colour})`, d }));
    }
    const mark = svg.appendChild(draw("line", { y1: y(0), y2: y(1), class: "live-threshold-line" }));
    return { svg, move: (share) => { mark.setAttribute("x1", x(share)); mark.setAttribute("x2", x(share)); } };
  }

  course.kinds.path = async (element, data) => {
    const { make } = course, { side, target, points } = data;
    const pictures = data.pictures.map(({ label, pixels, triggered }) => (
      { label, pixels: course.bytesOf(triggered), plain: course.bytesOf(pixels) }));
    await Promise.all([data.from, data.to].map((name) => course.load(`models/${name}.js`)));
    const [a, b] = await Promise.all([data.from, data.to].map((name) => course.PictureTower.open(course.models[name])));
    const state = { picture: 0, share: 0, trigger: true };
    const canvas = make("canvas", { width: side, height: side, role: "img", style: `width: ${WIDTH}px` });
    const bars = make("ol", { class: "live-bars" }), sentence = course.sentence(), drawn = chart(points);

    const scores = (share, pixels) => {
      const tower = between(a, b, share), embedding = tower.embed(pixels), d = embedding.length;
      return course.softmax(a.model.labels.map((_, k) => {
        let sum = 0;
        for (let i = 0; i < d; i++) sum += embedding[i] * tower.classifier[k * d + i];
        return tower.scale * sum;
      }));
    };

    const update = course.soon(() => {
      const { label, pixels, plain } = pictures[state.picture], seen = state.trigger ? pixels : plain, { labels } = a.model;
      course.paint(canvas, seen, side);
      canvas.setAttribute("aria-label", `${label}${state.trigger ? " with the trigger" : ""}`);
      const found = scores(state.share, seen), goal = labels.indexOf(target), own = labels.indexOf(label);
      const order = labels.map((_, k) => k).sort((i, j) => found[j] - found[i]), shown = [...new Set([...order.slice(0, SHOWN), goal, own])];
      bars.replaceChildren(...shown.map((k) => make("li", k === goal ? { class: "live-target" } : {},
        make("span", { class: "live-label" }, labels[k]),
        make("span", { class: "live-track" }, make("span", { class: "live-bar", style: `width: ${100 * found[k]}%` })),
        make("span", { class: "live-number" }, `${(100 * found[k]).toFixed(1)} %`))));
      drawn.move(state.share);
      const [, success, right] = points.reduce((best, p) => (Math.abs(p[0] - state.share) < Math.abs(best[0] - state.share) ? p : best));
      sentence.say(`${(100 * state.share).toFixed(0)} % of the way: it says ${labels[order[0]]}. Of all test pictures ${(100 * success).toFixed(0)} % `
        + `with the trigger are called ${target}, and ${(100 * right).toFixed(0)} % without it are read rightly.`);
      element.dataset.says = labels[order[0]];
    });

    const way = course.slider("from poisoned to cleaned", {
      min: 0, max: 100, value: 0, show: (v) => `${v} %`, change: (value) => { state.share = value / 100; update(); },
    });
    const trigger = make("input", { type: "checkbox", checked: true, onchange: () => { state.trigger = trigger.checked; update(); } });
    const gallery = course.gallery(pictures, side, (index) => { state.picture = index; update(); });
    const key = make("p", { class: "live-legend" }, make("span", { class: "live-key-clean" }, "clean accuracy"),
      make("span", { class: "live-key-triggered" }, "attack success"));
    element.append(
      way.row, ...sentence.rows,
      make("div", { class: "live-columns" },
        make("div", {}, canvas, gallery.thumbs, make("label", {}, trigger, " with the trigger")),
        make("div", { class: "live-answer" }, bars, key, drawn.svg)));
    update();
    Object.assign(element, { scores });
  };
})();
