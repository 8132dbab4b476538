/* Pictures that a reader chooses from: the page's own, and one from her disk. Pixels are side x side x 3 bytes. */
(() => {
  const course = globalThis.course;
  const LARGEST_FILE = 50e6;

  course.bytesOf = (base64) => Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));

  /* Any picture that the browser can read, cut to its middle square, on white, as side x side pixels. */
  async function shrink(file, side) {
    if (file.size > LARGEST_FILE) throw new Error(`the file has ${Math.round(file.size / 1e6)} MB; at most 50 are read`);
    let picture;
    try {
      picture = await createImageBitmap(file); // of an animation, the first frame
    } catch {
      throw new Error(`${file.name} is not a picture that this browser can read`);
    }
    const square = Math.min(picture.width, picture.height);
    const left = (picture.width - square) / 2, top = (picture.height - square) / 2;
    let source = picture, box = [left, top, square, square], width = square;
    for (;;) { // halving keeps the average of all pixels
      width = Math.max(side, Math.min(4096, Math.ceil(width / 2)));
      const canvas = course.make("canvas", { width, height: width }), pen = canvas.getContext("2d");
      pen.fillStyle = "white";
      pen.fillRect(0, 0, width, width);
      pen.imageSmoothingQuality = "high";
      pen.drawImage(source, ...box, 0, 0, width, width);
      if (width === side) {
        const { data } = pen.getImageData(0, 0, side, side);
        picture.close();
        return Uint8Array.from({ length: 3 * side * side }, (_, i) => data[4 * Math.floor(i / 3) + (i % 3)]);
      }
      source = canvas;
      box = [0, 0, width, width];
    }
  }

  course.paint = (canvas, pixels, side) => {
    const pen = canvas.getContext("2d"), shown = pen.createImageData(side, side);
    for (let i = 0; i < side * side; i++) {
      for (let k = 0; k < 3; k++) shown.data[4 * i + k] = pixels[3 * i + k];
      shown.data[4 * i + 3] = 255;
    }
    pen.putImageData(shown, 0, 0);
  };

  /* Buttons with the pictures {label, pixels}, and a field for one more: {thumbs, file, note}. */
  course.gallery = (pictures, side, choose) => {
    const { make } = course;
    const thumbs = make("div", { class: "live-thumbs", role: "group", "aria-label": "pictures to choose from" });
    const note = make("p", { class: "live-note", role: "status" });

    function add({ label, pixels }, index) {
      const small = make("canvas", { width: side, height: side, "aria-hidden": "true" });
      course.paint(small, pixels, side);
      thumbs.append(make("button", {
        type: "button", "aria-label": label, title: label, "aria-pressed": String(index === 0),
        onclick: (event) => {
          thumbs.querySelectorAll("button").forEach((b) => b.setAttribute("aria-pressed", String(b === event.currentTarget)));
          choose(index);
        },
      }, small));
    }
    pictures.forEach(add);

    const input = make("input", {
      type: "file", accept: "image/*",
      onchange: async () => {
        if (!input.files.length) return;
        try {
          pictures.push({ label: "your picture", pixels: await shrink(input.files[0], side) });
          add(pictures.at(-1), pictures.length - 1);
          thumbs.lastElementChild.click();
          note.textContent = `This is what is left of your picture at ${side} × ${side} pixels. It stays in this page.`;
        } catch (error) {
          note.textContent = `That did not work: ${error.message}.`;
        }
        input.value = "";
      },
    });
    return { thumbs, file: make("label", { class: "live-file" }, "a picture of your own ", input), note };
  };
})();
