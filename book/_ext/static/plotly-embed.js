/* Draw the page's plotly figures. plotly.js is fetched once, and only when the first figure comes near the screen.
   A classic script, so that a page opened from a folder works: there, a browser refuses modules. */
(() => {
  const course = (globalThis.course ??= {});
  const LIBRARY = new URL("vendor/plotly/plotly-cartesian.min.js", document.currentScript.src);
  const printing = new URLSearchParams(location.search).has("print"); // ?print draws all figures at once
  const READABLE = 560, LETTER = 7; // pixels
  const isStamp = (label) => label.xref === "paper" && label.y === 0;
  const drawn = new Set();

  let loading;
  const plotly = () => loading ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = LIBRARY;
    script.onload = () => resolve(window.Plotly);
    script.onerror = () => reject(new Error(`could not load ${LIBRARY}`));
    document.head.append(script);
  });

  /* Text and grid in the page's own colours; the backgrounds stay transparent, so that dark mode works. */
  function colours() {
    const style = getComputedStyle(document.documentElement);
    const text = style.getPropertyValue("--pst-color-text-base").trim() || "#333";
    return { text, grid: "rgba(128, 128, 128, 0.3)" };
  }

  /* The figure's template with the page's colours: what an author set in the layout itself still wins. */
  function themed(layout) {
    const { text, grid } = colours();
    const axis = (given = {}) => ({ ...given, gridcolor: grid, zerolinecolor: grid, linecolor: grid });
    const given = layout.template?.layout ?? {};
    const template = {
      ...layout.template,
      layout: {
        ...given,
        paper_bgcolor: "rgba(0, 0, 0, 0)",
        plot_bgcolor: "rgba(0, 0, 0, 0)",
        font: { ...given.font, color: text },
        xaxis: axis(given.xaxis),
        yaxis: axis(given.yaxis),
      },
    };
    const legend = { ...layout.legend, bgcolor: "rgba(0, 0, 0, 0)" };
    return { ...layout, template, legend, autosize: true };
  }

  /* A title of an axis in lines of so many pixels. */
  function wrapped(axis = {}, pixels) {
    const words = (axis.title?.text ?? "").split(" "), most = pixels / LETTER, lines = [""];
    for (const word of words) {
      const last = lines.at(-1);
      if (last && last.length + 1 + word.length > most) lines.push(word);
      else lines[lines.length - 1] = last ? `${last} ${word}` : word;
    }
    return lines.length < 2 ? axis : { ...axis, title: { ...axis.title, text: lines.join("<br>"), font: { size: 12 } } };
  }

  /* What `fitted` did to the page is undone: the window may have become wide. */
  function freed(element) {
    while (element.nextElementSibling?.matches(".plotly-stamp")) element.nextElementSibling.remove();
    element.style.minWidth = "";
    element.closest("figure")?.removeAttribute("tabindex");
  }

  /* On a phone, titles of axes are wrapped, the stamp goes below the plot as text, and a figure with several labels
     keeps a width at which they can be read and scrolls by itself. */
  function fitted(given, element) {
    if (element.clientWidth >= READABLE) return given;
    const layout = {
      ...given,
      margin: { ...given.margin, l: 50, r: 10 },
      xaxis: wrapped(given.xaxis, element.clientWidth - 60),
      yaxis: wrapped(given.yaxis, (given.height ?? 450) - 160),
    };
    const labels = layout.annotations ?? [];
    if (!labels.length) return layout;
    const stamps = labels.filter(isStamp), others = labels.filter((label) => !isStamp(label));
    for (const { text } of stamps) {
      const small = Object.assign(document.createElement("p"), { className: "plotly-stamp", textContent: text });
      element.after(small);
    }
    if (others.length > 1) {
      element.style.minWidth = `${READABLE}px`;
      const figure = element.closest("figure");
      if (figure) figure.tabIndex = 0; // so that arrow keys scroll it
    }
    return { ...layout, annotations: others };
  }

  /* Labels of pictures stand on a white sheet, by night as well. */
  function onWhite(layout, data) {
    if (!data.some(({ type }) => type === "image")) return layout;
    const dark = (label) => ({ ...label, font: { color: "#333", ...label.font } });
    return { ...layout, annotations: (layout.annotations ?? []).map(dark) };
  }

  /* What a figure may do; on a phone the toolbar would cover the legend. */
  function configured(element) {
    const toolbar = element.clientWidth < READABLE ? { displayModeBar: false } : {};
    return { responsive: true, displaylogo: false, ...toolbar };
  }

  async function draw(element) {
    const { data, layout, config, frames } = JSON.parse(element.querySelector("script").textContent);
    const Plotly = await plotly();
    const toolbar = configured(element);
    await Plotly.newPlot(element, {
      data,
      frames,
      layout: themed(onWhite(fitted(layout, element), data)),
      config: { ...toolbar, ...config },
    });
    drawn.add(element);
    refit(element, layout, data);
  }

  /* A phone is turned, or a window narrowed: the figure is fitted anew when its page's width crosses the limit. */
  function refit(element, layout, data) {
    const page = element.parentElement, isNarrow = () => page.clientWidth < READABLE;
    let narrow = isNarrow();
    new ResizeObserver(() => {
      if (isNarrow() === narrow) return;
      narrow = isNarrow();
      freed(element);
      window.Plotly.react(element, element.data, themed(onWhite(fitted(layout, element), data)));
    }).observe(page);
  }

  const observer = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      observer.unobserve(target);
      draw(target);
    }
  }, { rootMargin: printing ? "1000000px" : "600px" });
  document.addEventListener("DOMContentLoaded", () => {
    document.querySelectorAll(".plotly-embed").forEach((element) => observer.observe(element));
  });

  new MutationObserver(() => drawn.forEach((element) => {
    window.Plotly.relayout(element, { template: themed(element.layout).template });
  })).observe(document.documentElement, { attributeFilter: ["data-theme"] });

  Object.assign(course, { plotly, themed, configured }); // for live figures
})();
