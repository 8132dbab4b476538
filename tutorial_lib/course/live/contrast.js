/* Pictures and captions as points on a circle: the reader drags them and sees similarities, softmax rows and the loss. */
(() => {
  const course = globalThis.course;
  const RADIUS = 100, STEP = 3; // degrees for an arrow key
  const SIDES = ["picture", "caption"];
  const radians = (degrees) => (degrees * Math.PI) / 180;
  const signed = (value) => value.toFixed(2).replace("-0.00", "0.00").replace("-", "−");

  /* CLIP's loss of points at these angles in degrees, in nats, and its gradient for each angle in radians. */
  course.contrast = ({ picture, caption }, temperature) => {
    const n = picture.length;
    const similarity = picture.map((a) => caption.map((b) => Math.cos(radians(a - b))));
    const rows = similarity.map((row) => course.softmax(row.map((s) => s / temperature)));
    const columns = caption.map((_, j) => course.softmax(similarity.map((row) => row[j] / temperature))); // [j][i]
    let loss = 0;
    const gradient = { picture: new Array(n).fill(0), caption: new Array(n).fill(0) };
    for (let i = 0; i < n; i++) {
      loss -= (Math.log(rows[i][i]) + Math.log(columns[i][i])) / (2 * n);
      for (let j = 0; j < n; j++) {
        const pull = (rows[i][j] + columns[j][i] - 2 * (i === j)) / (2 * n * temperature); // d loss / d similarity
        const turn = -Math.sin(radians(picture[i] - caption[j])); // d similarity / d angle of the picture
        gradient.picture[i] += pull * turn;
        gradient.caption[j] -= pull * turn;
      }
    }
    return { loss, similarity, rows, columns, gradient };
  };

  course.softmax ??= (values) => {
    const most = Math.max(...values), powers = values.map((v) => Math.exp(v - most));
    const sum = powers.reduce((a, b) => a + b, 0);
    return powers.map((p) => p / sum);
  };

  course.kinds.contrast = (element, data) => {
    const { make, draw } = course, { names, colours } = data;
    const start = () => ({ picture: [...data.picture], caption: [...data.caption] });
    let angles = start(), temperature = data.temperature;

    const svg = draw("svg", { viewBox: "-150 -125 300 250", class: "live-circle", role: "group", "aria-label": "points on a circle" });
    svg.append(draw("circle", { r: RADIUS, class: "live-rim" }));
    const lines = names.map((_, k) => svg.appendChild(draw("line", { stroke: colours[k], class: "live-pair" })));
    const marks = {};
    for (const side of SIDES) {
      marks[side] = names.map((name, k) => {
        const shape = side === "picture"
          ? draw("circle", { r: 9, fill: colours[k] })
          : draw("rect", { x: -8, y: -8, width: 16, height: 16, fill: colours[k] });
        const letter = draw("text", { class: "live-letter", "text-anchor": "middle", dy: "0.35em" }, name[0].toUpperCase());
        const mark = draw("g", {
          tabindex: "0", role: "slider", class: "live-mark", "aria-label": `${side} of ${name}`, "aria-valuemin": "0", "aria-valuemax": "359",
        }, shape, letter);
        const turn = (degrees) => { angles[side][k] = ((degrees % 360) + 360) % 360; update(); };
        const follow = (event) => {
          const box = svg.getBoundingClientRect(), scale = 300 / box.width;
          turn((Math.atan2(-((event.clientY - box.top) * scale - 125), (event.clientX - box.left) * scale - 150) * 180) / Math.PI);
        };
        mark.addEventListener("pointerdown", (event) => { mark.setPointerCapture(event.pointerId); mark.focus(); });
        mark.addEventListener("pointermove", (event) => { if (mark.hasPointerCapture(event.pointerId)) follow(event); });
        mark.addEventListener("keydown", (event) => {
          const step = { ArrowLeft: STEP, ArrowUp: STEP, ArrowRight: -STEP, ArrowDown: -STEP }[event.key];
          if (!step || !course.plainKey(event)) return;
          event.preventDefault();
          turn(angles[side][k] + step);
        });
        return svg.appendChild(mark);
      });
    }

    const cells = names.map(() => names.map(() => make("td")));
    const table = make("table", { class: "live-matrix" },
      make("caption", {}, "similarity, and in brackets the softmax over the row"),
      make("thead", {}, make("tr", {}, make("td"), ...names.map((name) => make("th", { scope: "col" }, `“${name}”`)))),
      make("tbody", {}, ...names.map((name, i) => make("tr", {}, make("th", { scope: "row" }, name), ...cells[i]))));
    const sentence = course.sentence();
    const guess = Math.log(names.length);

    const update = course.soon(() => {
      const found = course.contrast(angles, temperature);
      for (const side of SIDES) {
        const radius = side === "picture" ? RADIUS : RADIUS - 22;
        marks[side].forEach((mark, k) => {
          const angle = radians(angles[side][k]), x = radius * Math.cos(angle), y = -radius * Math.sin(angle);
          mark.setAttribute("transform", `translate(${x} ${y})`);
          mark.setAttribute("aria-valuenow", String(Math.round(angles[side][k]) % 360));
          mark.setAttribute("aria-valuetext", `${Math.round(angles[side][k])} degrees`);
          const end = side === "picture" ? 1 : 2;
          lines[k].setAttribute(`x${end}`, x);
          lines[k].setAttribute(`y${end}`, y);
        });
      }
      cells.forEach((row, i) => row.forEach((cell, j) => {
        const weight = found.rows[i][j];
        const share = make("small", {}, `(${Math.round(100 * weight)}\u202f%)`);
        cell.replaceChildren(`${signed(found.similarity[i][j])} `, share);
        cell.style.setProperty("--weight", weight.toFixed(3));
        cell.classList.toggle("live-partner", i === j);
      }));
      sentence.say(`The loss is ${found.loss.toFixed(3)} nats at temperature ${temperature.toFixed(2)}; guessing gives ${guess.toFixed(3)}.`);
      element.dataset.loss = String(found.loss);
    });

    const slider = course.slider("temperature τ", {
      min: -2, max: 0.5, step: 0.05, value: Math.log10(temperature), show: (v) => (10 ** v).toFixed(2),
      change: (value) => { temperature = 10 ** value; update(); },
    });
    /* Down the slope, by at most 15 degrees for the point that is pulled most. */
    const descend = () => {
      const { gradient } = course.contrast(angles, temperature);
      const most = Math.max(...SIDES.flatMap((side) => gradient[side].map(Math.abs)), 1e-9);
      for (const side of SIDES) {
        angles[side] = angles[side].map((a, k) => (((a - (15 * gradient[side][k]) / Math.max(most, 0.5)) % 360) + 360) % 360);
      }
      update();
    };
    element.append(make("div", { class: "live-columns" }, svg, make("div", { class: "live-controls" },
      slider.row,
      make("div", { class: "live-buttons" },
        make("button", { type: "button", onclick: descend }, "a step down the gradient"),
        make("button", { type: "button", onclick: () => { angles = start(); update(); } }, "start again"),
        make("button", {
          type: "button",
          onclick: () => {
            const place = data.picture.map(() => 0);
            angles = { picture: [...place], caption: [...place] };
            update();
          },
        }, "collapse to one point")),
      ...sentence.rows)), make("div", { class: "live-scroll", tabindex: "0", role: "region", "aria-label": "matrix of similarities" }, table));
    update();
  };
})();
