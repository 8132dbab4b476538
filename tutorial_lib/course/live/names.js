/* Class names that the reader types: the text tower embeds them, and the picture gets the nearest.

   data: {model, words, side, names, templates, pictures: [{label, pixels}]}; `{}` in a template is the name. */
(() => {
  const course = globalThis.course;
  const WIDTH = 224; // of the picture on the screen, in pixels
  const MOST = 24; // names

  course.kinds.names = async (element, data) => {
    const { make } = course, { side } = data;
    const pictures = data.pictures.map(({ label, pixels }) => ({ label, pixels: course.bytesOf(pixels) }));
    const state = { picture: 0, template: data.templates[0], names: data.names };
    const canvas = make("canvas", { width: side, height: side, role: "img", style: `width: ${WIDTH}px` });
    const bars = make("ol", { class: "live-bars" });
    const sentence = course.sentence();
    const truth = make("p", { class: "live-truth" }), unread = make("p", { class: "live-note", role: "status" });

    await Promise.all([course.load(`models/${data.model}.js`), course.load(`models/${data.words}.js`)]);
    const seeing = await course.PictureTower.open(course.models[data.model]);
    const reading = await course.TextTower.open(course.models[data.words]);

    /* The probability of each name. */
    function scores(names, template, pixels) {
      const picture = seeing.embed(pixels);
      return course.softmax(names.map((name) => {
        const text = reading.embed(template.replace("{}", name));
        let sum = 0;
        for (let i = 0; i < text.length; i++) sum += text[i] * picture[i];
        return seeing.model.scale * sum;
      }));
    }

    const update = course.soon(() => {
      const { label, pixels } = pictures[state.picture], { names, template } = state;
      course.paint(canvas, pixels, side);
      canvas.setAttribute("aria-label", label);
      truth.replaceChildren("What it shows: ", make("strong", {}, label));
      if (!names.length) {
        bars.replaceChildren();
        sentence.say("Without a name there is nothing to choose from.");
        return;
      }
      const found = scores(names, template, pixels), best = found.indexOf(Math.max(...found));
      bars.replaceChildren(...names.map((name, k) => make("li", k === best ? { class: "live-target" } : {},
        make("span", { class: "live-label" }, name),
        make("span", { class: "live-track" }, make("span", { class: "live-bar", style: `width: ${100 * found[k]}%` })),
        make("span", { class: "live-number" }, `${(100 * found[k]).toFixed(1)} %`))));
      sentence.say(`Of ${names.length === 1 ? "one name" : `these ${names.length} names`} the model takes: ${names[best]}.`);
      const never = [...new Set(names.flatMap((name) => reading.tokens(name).unread))];
      unread.textContent = never.length
        ? `Never read in training, and so one and the same unknown word to this model: ${never.join(", ")}.` : "";
      element.dataset.says = names[best];
    });

    const gallery = course.gallery(pictures, side, (index) => { state.picture = index; update(); });
    const field = make("textarea", {
      rows: "3", style: "display: block; width: 100%", "aria-label": "class names, with commas between them", maxlength: "400", spellcheck: "false",
      oninput: () => {
        const typed = field.value.split(/[,\n]/).map((name) => name.trim()).filter(Boolean);
        state.names = [...new Set(typed)].slice(0, MOST);
        update();
      },
    });
    field.value = data.names.join(", ");
    const template = make("select", {
      "aria-label": "prompt", onchange: () => { state.template = template.value; update(); },
    }, ...data.templates.map((text) => make("option", { value: text }, text.replace("{}", "…"))));

    element.append(
      make("div", { class: "live-columns" },
        make("div", {}, canvas, gallery.thumbs, gallery.file),
        make("div", { class: "live-answer" }, truth, ...sentence.rows, bars)),
      make("label", { style: "display: block" }, "class names, with commas between them", field),
      make("label", { class: "live-select" }, "prompt ", template), unread, gallery.note);
    update();
    Object.assign(element, { scores: (names, given, pixels) => [...scores(names, given, pixels)] });
  };
})();
