/* A patch that is being found, step by step: what it looks like, and what pictures that carry it are called. */
(() => {
  const course = globalThis.course;
  const WIDE = 224, SMALL = 96; // pixels on the screen
  const CURVE = { width: 320, height: 118, left: 44, right: 8, top: 10, bottom: 26 };
  const PAUSE = 120; // milliseconds a step

  const decode = (base64) => Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));

  function paint(canvas, pixels, side) {
    const pen = canvas.getContext("2d"), shown = pen.createImageData(side, side);
    for (let i = 0; i < side * side; i++) {
      for (let k = 0; k < 3; k++) shown.data[4 * i + k] = pixels[3 * i + k];
      shown.data[4 * i + 3] = 255;
    }
    pen.putImageData(shown, 0, 0);
  }

  /* The picture with a patch whose upper left corner is at (top, left). */
  function stamp(pixels, side, patch, size, [top, left]) {
    const out = Uint8Array.from(pixels);
    for (let row = 0; row < size; row++) {
      out.set(patch.subarray(3 * row * size, 3 * (row + 1) * size), 3 * ((top + row) * side + left));
    }
    return out;
  }

  course.kinds.inversion = async (element) => {
    await course.load("models/inversion.js");
    const { make, draw } = course, given = course.recorded.inversion, { side, target } = given;
    const plain = decode(given.picture);
    const found = Object.fromEntries(Object.entries(given.models).map(([name, model]) => (
      [name, { ...model, patches: model.patches.map(decode) }])));
    const names = Object.keys(found), last = found[names[0]].patches.length - 1;
    const state = { name: names[0], step: 0 };

    const square = (pixels, wide) => make("canvas", { width: pixels, height: pixels, role: "img", style: `width: ${wide}px` });
    const picture = square(side, WIDE), patch = square(found[names[0]].size, SMALL);
    const trigger = square(given.trigger.size, SMALL);
    trigger.setAttribute("aria-label", "the attacker’s trigger, which nobody told the search");
    paint(trigger, decode(given.trigger.pixels), given.trigger.size);
    const bars = make("ol", { class: "live-bars" });
    const sentence = course.sentence();

    const { width, height, left, right, top, bottom } = CURVE;
    const svg = draw("svg", { viewBox: `0 0 ${width} ${height}`, class: "live-density live-small", "aria-hidden": "true" });
    const x = (step) => left + (step / last) * (width - left - right);
    const y = (share) => height - bottom - share * (height - bottom - top);
    svg.append(
      ...[0, 1].flatMap((share) => [
        draw("line", { x1: left, x2: width - right, y1: y(share), y2: y(share), class: "live-rim" }),
        draw("text", { x: left - 6, y: y(share) + 4, "text-anchor": "end", class: "live-tick" }, `${100 * share} %`),
      ]),
      draw("text", { x: width / 2, y: height - 6, "text-anchor": "middle", class: "live-tick" }, "largest share of one class, by step"));
    const curve = svg.appendChild(draw("path", { class: "live-curve" }));
    const dot = svg.appendChild(draw("circle", { r: 5, class: "live-dot" }));
    const share = (model, step) => model.called[step][0][1] / model.asked;

    const update = course.soon(() => {
      const { name, step } = state, model = found[name], now = model.patches[step];
      paint(picture, stamp(plain, side, now, model.size, model.place), side);
      paint(patch, now, model.size);
      bars.replaceChildren(...model.called[step].map(([label, count]) => make("li", label === target ? { class: "live-target" } : {},
        make("span", { class: "live-label" }, label),
        make("span", { class: "live-track" }, make("span", { class: "live-bar", style: `width: ${(100 * count) / model.asked}%` })),
        make("span", { class: "live-number" }, `${((100 * count) / model.asked).toFixed(0)} %`))));
      curve.setAttribute("d", `M${model.called.map((_, k) => `${x(k).toFixed(1)} ${y(share(model, k)).toFixed(1)}`).join("L")}`);
      dot.setAttribute("cx", x(step));
      dot.setAttribute("cy", y(share(model, step)));
      const [label] = model.called[step][0];
      const text = `Step ${step}, ${given.names[name]} model: ${(100 * share(model, step)).toFixed(0)} % of ${model.asked} pictures are called ${label}; `
        + `cosine with themselves without the patch ${model.cosines[step].toFixed(2).replace("-", "−")}.`;
      sentence.say(text);
      picture.setAttribute("aria-label", `${given.label} with the patch of step ${step}`);
      patch.setAttribute("aria-label", `the patch of step ${step}, enlarged`);
      Object.assign(element.dataset, { step, says: label, share: share(model, step) });
    });

    const slider = course.slider("step", {
      min: 0, max: last, value: state.step, show: (step) => `${step} of ${last}`, change: (step) => { state.step = step; update(); },
    });
    function go(step) {
      slider.input.value = String(step);
      slider.input.dispatchEvent(new Event("input"));
    }
    let timer;
    const stop = () => { clearInterval(timer); timer = undefined; play.textContent = "play"; };
    const play = make("button", {
      type: "button",
      onclick: () => {
        if (timer) { stop(); return; }
        go(state.step === last ? 0 : state.step);
        play.textContent = "pause";
        timer = setInterval(() => { if (state.step >= last) stop(); else go(state.step + 1); }, PAUSE);
      },
    }, "play");
    slider.input.addEventListener("pointerdown", stop);
    const which = course.choice("model", names.map((name) => [name, given.names[name]]), state.name, (name) => { state.name = name; update(); });

    const captioned = (canvas, text) => make("div", { class: "live-captioned" }, canvas, make("p", { class: "live-note" }, text));
    element.append(
      make("div", { class: "live-buttons" }, play), which.row, slider.row, ...sentence.rows,
      make("div", { class: "live-columns" },
        captioned(picture, `${given.label} with the patch`),
        make("div", {}, captioned(patch, "the patch that is found"), captioned(trigger, "the attacker’s trigger")),
        make("div", { class: "live-answer" }, bars, svg)));
    update();
  };
})();
