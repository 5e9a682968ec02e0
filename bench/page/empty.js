/** A worker that does nothing but call into the module it is sent. */
addEventListener('message', async ({ data }) => {
  const { instance } = await WebAssembly.instantiate(data);
  postMessage(instance.exports.one());
});
