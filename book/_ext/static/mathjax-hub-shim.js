/* Jupyter widgets still call the MathJax 2 interface; pass their calls on to MathJax 3. */
if (window.MathJax && !window.MathJax.Hub) {
  const typeset = (element) =>
    (window.MathJax.startup?.promise ?? Promise.resolve())
      .then(() => window.MathJax.typesetPromise?.(element ? [element] : undefined));
  window.MathJax.Hub = {
    Queue: (...commands) => commands.forEach((c) => typeset(Array.isArray(c) ? c[2] : undefined)),
  };
}
