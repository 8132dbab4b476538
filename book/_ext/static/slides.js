"use strict";
(() => {
  const root = document.documentElement;
  const slides = [...document.querySelectorAll(".slide")];
  const said = document.querySelector("[aria-live]");
  let now = 0;
  root.classList.add("js");

  // Letters shrink until everything is on the stage; this is measured while the slide is shown.
  const fit = (slide) => {
    const body = slide.querySelector(".body");
    let size = 1;
    body.style.setProperty("--fit", size);
    while (body.scrollHeight > body.clientHeight + 1 && size > 0.4) {
      size -= 0.04;
      body.style.setProperty("--fit", size.toFixed(2));
    }
  };

  const scale = () => {
    const high = root.classList.contains("with-notes") ? 0.72 : 1;
    const zoom = Math.min(innerWidth / 1280, (high * innerHeight) / 720);
    root.style.setProperty("--zoom", zoom.toFixed(4));
  };

  const show = (to) => {
    slides[now].classList.remove("now");
    now = Math.max(0, Math.min(slides.length - 1, to));
    const slide = slides[now];
    slide.classList.add("now");
    fit(slide);
    history.replaceState(null, "", `#${now + 1}`);
    said.textContent = `${slide.getAttribute("aria-label")}: ${slide.querySelector("h2").textContent}`;
  };

  const forth = () => {
    const slide = slides[now];
    if (slide.querySelector(".choices") && !slide.classList.contains("answered")) {
      slide.classList.add("answered");
      said.textContent = `Right: ${slide.querySelector(".right").textContent}`;
    } else {
      show(now + 1);
    }
  };

  const toggle = (name) => {
    root.classList.toggle(name);
    scale();
    if (name === "overview") {
      slides.forEach(fit);
      slides[now].scrollIntoView({ block: "center" });
    }
  };

  const keys = {
    ArrowRight: forth,
    ArrowDown: forth,
    PageDown: forth,
    " ": forth,
    Enter: () => (root.classList.contains("overview") ? toggle("overview") : forth()),
    ArrowLeft: () => show(now - 1),
    ArrowUp: () => show(now - 1),
    PageUp: () => show(now - 1),
    Home: () => show(0),
    End: () => show(slides.length - 1),
    n: () => toggle("with-notes"),
    o: () => toggle("overview"),
    d: () => toggle("dark"),
    f: () => (document.fullscreenElement ? document.exitFullscreen() : root.requestFullscreen()),
    Escape: () => root.classList.contains("overview") && toggle("overview"),
  };

  addEventListener("keydown", (event) => {
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const onLink = event.target.closest("a") && (key === "Enter" || key === " ");
    if (event.ctrlKey || event.metaKey || event.altKey || onLink || !(key in keys)) {
      return;
    }
    event.preventDefault();
    keys[key]();
  });

  addEventListener("click", (event) => {
    const slide = event.target.closest(".slide");
    if (!slide || event.target.closest("a") || String(getSelection())) {
      return;
    }
    if (root.classList.contains("overview")) {
      show(slides.indexOf(slide));
      toggle("overview");
    } else if (!event.target.closest(".notes")) {
      event.clientX < innerWidth / 4 ? show(now - 1) : forth();
    }
  });

  addEventListener("resize", scale);
  addEventListener("hashchange", () => show(Number(location.hash.slice(1)) - 1 || 0));
  addEventListener("beforeprint", () => {
    slides.forEach((slide) => {
      slide.style.display = "block";
      fit(slide);
      slide.style.display = "";
    });
  });
  if (matchMedia("(prefers-color-scheme: dark)").matches) {
    root.classList.add("dark");
  }
  scale();
  show(Number(location.hash.slice(1)) - 1 || 0);
})();
