/* How similar pairs of pictures are, with and without the trigger, as one setting of the attack moves. From records. */
(() => {
  const course = globalThis.course;
  const WIDTH = 640, HEIGHT = 260, LEFT = 10, BOTTOM = 34;

  course.kinds.similarities = (element, data) => {
    const { make, draw } = course;
    const svg = draw("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "live-density", role: "img" });
    const areas = {
      clean: svg.appendChild(draw("path", { class: "live-area-clean" })),
      triggered: svg.appendChild(draw("path", { class: "live-area-triggered" })),
    };
    const [low, high] = data.range;
    const x = (similarity) => LEFT + ((similarity - low) / (high - low)) * (WIDTH - 2 * LEFT);
    svg.append(draw("line", { x1: LEFT, x2: WIDTH - LEFT, y1: HEIGHT - BOTTOM, y2: HEIGHT - BOTTOM, class: "live-rim" }));
    for (let tick = Math.ceil(2 * low) / 2; tick <= high; tick += 0.5) {
      svg.append(draw("text", { x: x(tick), y: HEIGHT - BOTTOM + 14, "text-anchor": "middle", class: "live-tick" }, tick.toFixed(1).replace("-", "−")));
    }
    svg.append(draw("text", { x: WIDTH / 2, y: HEIGHT - 3, "text-anchor": "middle", class: "live-tick" }, "cosine similarity of two pictures"));
    const legend = make("p", { class: "live-legend" },
      make("span", { class: "live-key-clean" }, "without trigger"), " ", make("span", { class: "live-key-triggered" }, "with trigger"));
    const sentence = course.sentence();
    const state = { series: data.series[0], at: data.series[0].start };

    function area(density, top) {
      const width = (high - low) / density.length;
      const points = density.map((d, k) => `${x(low + (k + 0.5) * width).toFixed(1)},${(HEIGHT - BOTTOM - (d / top) * (HEIGHT - BOTTOM - 8)).toFixed(1)}`);
      return `M${x(low)},${HEIGHT - BOTTOM} L${points.join(" L")} L${x(high)},${HEIGHT - BOTTOM} Z`;
    }

    const update = course.soon(() => {
      const { series, at } = state, point = series.points[at];
      for (const which of ["clean", "triggered"]) {
        areas[which].setAttribute("d", area(point[which], Math.min(data.top, 1.05 * Math.max(...point.clean, ...point.triggered))));
      }
      const scores = point.z.map((z) => z.toFixed(1)).join(", ");
      const text = `${point.value}: z-score ${point.mean.toFixed(1)} (${point.z.length} models: ${scores}).`;
      sentence.say(text);
      svg.setAttribute("aria-label", `Densities of pair similarities. ${text}`);
      element.dataset.z = String(point.mean);
    });

    const slider = make("div");
    function show(series) {
      state.series = series;
      state.at = series.start;
      slider.replaceChildren(course.slider(series.name, {
        min: 0, max: series.points.length - 1, value: series.start, show: (k) => series.points[k].value,
        change: (k) => { state.at = k; update(); },
      }).row);
      update();
    }
    const which = course.choice("what changes", data.series.map((s) => [s.name, s.name]), data.series[0].name,
      (name) => show(data.series.find((s) => s.name === name)));
    element.append(which.row, slider, svg, legend, ...sentence.rows);
    show(data.series[0]);
  };
})();
