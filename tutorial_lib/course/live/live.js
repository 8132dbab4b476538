/* Start the page's live figures. Each fetches its scripts when it comes near the screen; until then, without JavaScript
   and in print, a picture stands in its place. Classic scripts, so that a page opened from a folder works as well. */
(() => {
  const course = (globalThis.course ??= {});
  const folder = new URL(".", document.currentScript.src);
  course.kinds ??= {}; // filled by the figures' scripts: kind -> (element, data)

  const loading = new Map();
  course.load = (name) => {
    if (!loading.has(name)) {
      loading.set(name, new Promise((resolve, reject) => {
        const style = name.endsWith(".css"), element = document.createElement(style ? "link" : "script");
        if (style) element.rel = "stylesheet";
        else element.async = false; // of several, the first asked for runs first
        element[style ? "href" : "src"] = new URL(name, folder);
        element.onload = resolve;
        element.onerror = () => {
          loading.delete(name); // the next try fetches it again
          element.remove();
          reject(new Error(`${name} could not be loaded`));
        };
        document.head.append(element);
      }));
    }
    return loading.get(name);
  };

  /* An element with attributes, listeners ("onclick") and children. */
  course.make = (tag, attributes = {}, ...children) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
      else if (typeof value === "boolean") element[name] = value;
      else element.setAttribute(name, value);
    }
    element.append(...children);
    return element;
  };

  course.draw = (tag, attributes = {}, ...children) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children);
    return element;
  };

  /* A labelled slider whose value is also read out: {row, input}. */
  course.slider = (label, { min, max, step = 1, value, show = String, change }) => {
    const output = course.make("span", { class: "live-value", "aria-hidden": "true" }, show(value));
    const input = course.make("input", {
      type: "range", min, max, step, value: String(value), "aria-label": label, "aria-valuetext": show(value),
    });
    const update = () => {
      output.textContent = show(Number(input.value));
      input.setAttribute("aria-valuetext", output.textContent);
      change(Number(input.value));
    };
    input.addEventListener("input", update);
    return { row: course.make("label", { class: "live-slider" }, course.make("span", {}, label), input, output), input };
  };

  let groups = 0;
  /* Radio buttons: {row, set(key), value()}. */
  course.choice = (legend, options, value, change) => {
    const name = `live-choice-${groups++}`;
    const inputs = options.map(([key]) => course.make("input", {
      type: "radio", name, value: key, checked: key === value, onchange: () => change(key),
    }));
    const labels = options.map(([, text], i) => course.make("label", {}, inputs[i], ` ${text}`));
    const row = course.make("fieldset", { class: "live-choice" }, course.make("legend", {}, legend), ...labels);
    const set = (key) => inputs.forEach((input) => { input.checked = input.value === key; });
    return { row, set, value: () => inputs.find((input) => input.checked).value };
  };

  /* A sentence that is seen at once and read out when it has come to rest, not in every frame of a drag: {rows, say(text)}. */
  course.sentence = () => {
    const seen = course.make("p", { class: "live-says", "aria-hidden": "true" });
    const heard = course.make("p", { class: "live-heard", role: "status" });
    let timer;
    const say = (text) => {
      seen.textContent = text;
      clearTimeout(timer);
      timer = setTimeout(() => { heard.textContent = text; }, 500);
    };
    return { rows: [seen, heard], say };
  };

  /* Arrow keys with a modifier are the browser's. */
  course.plainKey = (event) => !(event.altKey || event.ctrlKey || event.metaKey);

  /* The last of many calls, once a frame. */
  course.soon = (action) => {
    let waiting = false;
    return () => {
      if (waiting) return;
      waiting = true;
      requestAnimationFrame(() => { waiting = false; action(); });
    };
  };

  async function start(element) {
    const figure = element.closest(".live-figure");
    try {
      const data = JSON.parse(element.querySelector("script").textContent);
      await Promise.all(element.dataset.scripts.split(" ").map(course.load));
      await course.kinds[element.dataset.kind](element, data);
      figure.classList.add("live-ready");
    } catch (error) {
      element.replaceChildren(course.make("p", { class: "live-error", role: "alert" },
        `This figure could not start: ${error.message}. The picture shows what it looks like. `
        + "If you copied or moved this page, keep the folders beside it."));
      console.error(error);
    }
  }

  const observer = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      observer.unobserve(target);
      start(target);
    }
  }, { rootMargin: "300px" });
  const watch = () => document.querySelectorAll(".live-mount").forEach((element) => observer.observe(element));
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", watch);
  else watch();
})();
