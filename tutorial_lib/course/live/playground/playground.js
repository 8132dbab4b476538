/* The poisoning playground: what its panels share, and their order.

   A model is {title, settings, state, measured, losses, steps, history, note}: `state` are its weights, `measured` what
   measures.js says of it, `history` the same after each epoch. */
(() => {
  const course = globalThis.course;

  course.kinds.playground = async (element) => {
    const { make } = course;
    const { world, code, start } = await course.playgroundWorld(), lib = course.engine();
    const small = matchMedia("(max-width: 40rem)").matches; // a phone
    const listeners = {};
    const play = {
      element, world, lib, start,
      settings: { ...start.settings, ...(small ? { classes: 10, epochs: 10, poisons: 32 } : {}) },
      models: { start }, shown: "start", busy: false, paused: false,
      reader: course.playgroundReader(world), worker: course.playgroundWorker(world, code),
      on: (event, action) => (listeners[event] ??= []).push(action),
      tell: (event) => listeners[event]?.forEach((action) => action()),
      /* The model to defend: the reader's last one, or else that of the beginning. */
      own: () => play.models.yours ?? play.models.start,
      show(name) {
        play.shown = name;
        play.tell("model");
      },
      /* A new model, or an epoch of one, which is looked at from now on. */
      put(name, model) {
        const fresh = name === "yours" && play.models.yours !== model;
        play.models[name] = model;
        if (fresh) delete play.models.cleaned;
        play.show(name);
        if (name === "yours") play.tell("own");
      },
      /* One piece of work at a time; meanwhile buttons are off. */
      async work(action, failed) {
        if (play.busy) return;
        play.busy = true;
        play.tell("busy");
        try {
          await action();
        } catch (error) {
          failed(error);
          console.error(error);
        } finally {
          play.busy = false;
          play.tell("busy");
        }
      },
    };
    const panels = ["Try", "Poison", "Train", "Look", "Dose", "Defend"].map((name) => course[`play${name}`](play));
    element.append(make("div", { class: "play" }, make("div", { class: "play", "data-still": "" }, ...panels.slice(0, 3)), ...panels.slice(3)));
    play.tell("busy");
    element.playground = play;
  };

  /* What the model's embeddings look like. */
  course.playLook = (play) => {
    const { make } = course, similar = course.similarityPlot(), map = course.mapPlot();
    const update = () => {
      const { measured, settings } = play.models[play.shown];
      similar.update(measured);
      map.update(measured, settings.target, play.world.labels[settings.target]);
    };
    play.on("model", update);
    update();
    return make("section", { class: "play-panel", "aria-label": "Look inside" },
      make("h3", {}, "3 · Look inside"),
      make("p", {}, "The same test pictures without and with the trigger, in the model that is chosen at the top."),
      make("div", { class: "play-halves" }, similar.root, map.root));
  };
})();
