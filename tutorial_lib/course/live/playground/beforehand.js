/* Run by Node.js while the book is built: trains the model that the page opens with. Given {world, code, settings}; the
   answer is {state, losses, history}. */
(given) => {
  const { lib } = globalThis.course, decode = (text) => Uint8Array.from(Buffer.from(text, "base64"));
  const losses = [], history = [];
  let state;
  const session = new lib.Session({ ...given.world, pixels: decode(given.world.pixels) }, decode(given.code), (message) => {
    losses.push(...(message.losses ?? []));
    if (message.did === "begin" || message.did === "epoch") history.push(message.measured);
    state = message.state ?? state;
  });
  return session.hear({ do: "train", settings: given.settings })
    .then(() => ({ state: Buffer.from(state.buffer).toString("base64"), losses, history }));
}
