/* Recorded models as points: the reader chooses what is drawn against what, means or single models.

   data: {x, y: names of the first choice, xs, ys: {name: title}, groups: [{name, colour, dash, marker}],
   rows: [{group, setting, seed, key, and a number for each name}], stamp, height} */
(() => {
  const course = globalThis.course;
  const mean = (values) => values.reduce((a, b) => a + b, 0) / values.length;

  course.kinds.explore = async (element, data) => {
    const { make } = course, Plotly = await course.plotly();
    const state = { x: data.x, y: data.y, single: false };
    const plot = make("div", { class: "live-plot", role: "figure", style: `height: ${data.height ?? 440}px` });
    const says = make("p", { class: "live-note", role: "status" });

    function traces() {
      return data.groups.flatMap((group, k) => {
        const mine = data.rows.filter((row) => row.group === group.name && Number.isFinite(row[state.x]) && Number.isFinite(row[state.y]));
        if (!mine.length) return [];
        const style = { color: group.colour, symbol: group.marker };
        const found = [];
        if (state.single) {
          found.push({
            type: "scatter", mode: "markers", name: group.name, legendgroup: group.name, x: mine.map((r) => r[state.x]), y: mine.map((r) => r[state.y]),
            text: mine.map((r) => `${r.setting}<br>seed ${r.seed}<br>record ${r.key}`), hovertemplate: "%{text}<br>(%{x:.3~g}, %{y:.3~g})",
            marker: { ...style, size: 8, opacity: 0.75 },
          });
        } else {
          const settings = [...new Set(mine.map((r) => r.setting))];
          const points = settings.map((s) => mine.filter((r) => r.setting === s));
          found.push({
            type: "scatter", mode: "lines+markers", name: group.name, x: points.map((p) => mean(p.map((r) => r[state.x]))),
            y: points.map((p) => mean(p.map((r) => r[state.y]))), text: settings.map((s, i) => `${s}<br>mean of ${points[i].length} models`),
            hovertemplate: "%{text}<br>(%{x:.3~g}, %{y:.3~g})", line: { color: group.colour, dash: group.dash }, marker: { ...style, size: 9 },
          });
        }
        return found;
      });
    }

    const update = course.soon(async () => {
      const drawn = traces();
      await Plotly.react(plot, drawn, course.themed({
        height: data.height ?? 440, margin: { l: 60, r: 20, t: 20, b: 55 },
        legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0 },
        xaxis: { title: { text: data.xs[state.x] } }, yaxis: { title: { text: data.ys[state.y] } },
      }), course.configured(plot));
      const count = drawn.reduce((sum, trace) => sum + trace.x.length, 0), models = new Set(data.rows.map((row) => row.key)).size;
      const what = state.single ? `${count} points of ${models} models` : `${count} settings, each the mean over its models`;
      says.textContent = `${what}. ${data.stamp}`;
      plot.setAttribute("aria-label", `${data.ys[state.y]} against ${data.xs[state.x]}: ${says.textContent}`);
    });

    const select = (label, options, value, change) => {
      const input = make("select", { "aria-label": label, onchange: () => { change(input.value); update(); } },
        ...options.map(([key, text]) => make("option", { value: key, selected: key === value }, text)));
      return make("label", { class: "live-select" }, `${label} `, input);
    };
    const controls = make("div", { class: "live-buttons" });
    if (Object.keys(data.xs).length > 1) controls.append(select("across", Object.entries(data.xs), state.x, (v) => { state.x = v; }));
    controls.append(select("up", Object.entries(data.ys), state.y, (v) => { state.y = v; }));
    const each = make("input", { type: "checkbox", onchange: () => { state.single = each.checked; update(); } });
    controls.append(make("label", {}, each, " each model"));
    element.append(controls, plot, says);
    update();
    new MutationObserver(update).observe(document.documentElement, { attributeFilter: ["data-theme"] });
  };
})();
