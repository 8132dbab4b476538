/* Every training pair as a point, and a threshold under the reader's finger: precision and recall of what lies above. */
(() => {
  const course = globalThis.course;
  const WIDTH = 640, HEIGHT = 340, LEFT = 34, RIGHT = 8, TOP = 8, BOTTOM = 36;
  const LEVELS = 65535;
  const LARGEST = 0.25; // share of the pairs that can be flagged
  const START = 0.05;

  const numbers = (base64) => {
    const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
    const view = new DataView(bytes.buffer);
    return Array.from({ length: bytes.length / 2 }, (_, i) => view.getUint16(2 * i, true));
  };

  /* What flagging the first pairs of an order finds. */
  course.flagged = (order, poison, count) => {
    let hits = 0;
    for (let i = 0; i < count; i++) hits += poison[order[i]];
    const all = poison.reduce((sum, p) => sum + p, 0);
    return { hits, precision: hits / count, recall: hits / all, alarms: count - hits, all };
  };

  course.kinds.poisons = async (element) => {
    await course.load("models/poisons.js");
    const { make, draw } = course, given = course.recorded.poisons, total = given.pairs;
    const poison = new Array(total).fill(0);
    for (const k of given.poisons) poison[k] = 1;
    const across = numbers(given.fit);
    const detectors = Object.fromEntries(Object.entries(given.scores).map(([name, { heights, order }]) => (
      [name, { heights: numbers(heights), order: numbers(order) }])));
    const most = Math.round(LARGEST * total);
    const state = { name: Object.keys(detectors)[0], count: Math.round(START * total), list: true };

    const x = (level) => LEFT + (level / LEVELS) * (WIDTH - LEFT - RIGHT);
    const y = (level) => HEIGHT - BOTTOM - (level / LEVELS) * (HEIGHT - TOP - BOTTOM);
    const svg = draw("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "live-density live-pairs", role: "img" });
    const above = svg.appendChild(draw("rect", { x: LEFT, y: TOP, width: WIDTH - LEFT - RIGHT, class: "live-above" }));
    const points = ["live-point-clean", "live-point-poison"].map((name) => svg.appendChild(draw("path", { class: name })));
    svg.append(
      draw("line", { x1: LEFT, x2: WIDTH - RIGHT, y1: HEIGHT - BOTTOM, y2: HEIGHT - BOTTOM, class: "live-rim" }),
      draw("line", { x1: LEFT, x2: LEFT, y1: TOP, y2: HEIGHT - BOTTOM, class: "live-rim" }),
      draw("text", { x: (LEFT + WIDTH) / 2, y: HEIGHT - 4, "text-anchor": "middle", class: "live-tick" }, "cosine of picture and caption"),
      draw("text", { x: 12, y: HEIGHT / 2, "text-anchor": "middle", class: "live-tick", transform: `rotate(-90 12 ${HEIGHT / 2})` }, "score: more suspicious →"));
    const [low, high] = given.axis, ticks = Math.round((high - low) / 0.1);
    for (let k = 0; k <= ticks; k++) {
      svg.append(draw("text", {
        x: x((k / ticks) * LEVELS), y: HEIGHT - BOTTOM + 14, "text-anchor": k === ticks ? "end" : "middle", class: "live-tick",
      }, (low + 0.1 * k).toFixed(1)));
    }
    const line = svg.appendChild(draw("line", { x1: LEFT, x2: WIDTH - RIGHT, class: "live-threshold-line" }));
    const grip = svg.appendChild(draw("rect", { x: LEFT, width: WIDTH - LEFT - RIGHT, height: 28, class: "live-threshold" }));

    const legend = make("p", { class: "live-legend" });
    const sentence = course.sentence();

    function plot() {
      const { heights } = detectors[state.name], paths = ["", ""];
      for (let i = 0; i < total; i++) {
        const size = poison[i] && state.list ? 4 : 3;
        paths[state.list ? poison[i] : 0] += `M${x(across[i]).toFixed(1)} ${(y(heights[i]) - size / 2).toFixed(1)}h${size}v${size}h-${size}z`;
      }
      points.forEach((path, k) => path.setAttribute("d", paths[k]));
      legend.replaceChildren(...(state.list
        ? [make("span", { class: "live-key-clean" }, "clean"), " ", make("span", { class: "live-key-triggered" }, "poison")]
        : [make("span", { class: "live-key-clean" }, "a pair")]));
    }

    const per = (share) => `${(100 * share).toFixed(share < 0.0995 ? 1 : 0)} %`;
    const update = course.soon(() => {
      const { heights, order } = detectors[state.name];
      const at = (y(heights[order[state.count - 1]]) + y(heights[order[Math.min(state.count, total - 1)]])) / 2;
      for (const end of ["y1", "y2"]) line.setAttribute(end, at);
      grip.setAttribute("y", at - 14);
      above.setAttribute("height", Math.max(0, at - TOP));
      const found = course.flagged(order, poison, state.count);
      const flagged = `${state.count} of ${total} pairs are flagged (${per(state.count / total)})`;
      const text = state.list
        ? `${flagged}: ${found.hits} of ${found.all} poisons and ${found.alarms} clean pairs. Precision ${per(found.precision)}, recall ${per(found.recall)}.`
        : `${flagged}. How many of them are poisons?`;
      sentence.say(text);
      svg.setAttribute("aria-label", `Scores of ${total} pairs by ${state.name}. ${text}`);
      Object.assign(element.dataset, { count: state.count, hits: found.hits, precision: found.precision, recall: found.recall });
    });

    const budget = course.slider("pairs to flag", {
      min: 1, max: most, value: state.count, show: (n) => `${n} (${per(n / total)})`,
      change: (n) => { state.count = n; update(); },
    });
    function flag(count) {
      budget.input.value = String(Math.max(1, Math.min(most, count)));
      budget.input.dispatchEvent(new Event("input"));
    }
    function follow(event) {
      const box = svg.getBoundingClientRect();
      const height = ((event.clientY - box.top) / box.height) * HEIGHT, { heights, order } = detectors[state.name];
      let count = 0;
      while (count < total && y(heights[order[count]]) <= height) count++;
      flag(count);
    }
    svg.addEventListener("click", follow);
    grip.addEventListener("pointerdown", (event) => {
      if (!event.button && event.isPrimary) grip.setPointerCapture(event.pointerId);
    });
    grip.addEventListener("pointermove", (event) => {
      if (grip.hasPointerCapture(event.pointerId)) follow(event);
    });

    const which = course.choice("detector", Object.keys(detectors).map((name) => [name, name]), state.name, (name) => {
      state.name = name;
      plot();
      update();
    });
    const views = [["list", "with the list of poisons"], ["defender", "the defender’s view"]];
    const view = course.choice("colours", views, "list", (key) => {
      state.list = key === "list";
      plot();
      update();
    });
    element.append(which.row, view.row, budget.row, ...sentence.rows, svg, legend);
    plot();
    update();
  };
})();
