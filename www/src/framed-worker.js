/** The name of the workers of the page `frame`. */
export const FRAMED = 'framed';

/** There what a worker has compiled stays with it: Firefox hands no module on in a frame of another origin. */
export function keepModules() {
  const scope = /** @type {any} */ (globalThis);
  if (scope.name === FRAMED) {
    const send = scope.postMessage.bind(scope);
    scope.postMessage = (/** @type {any} */ { module: _module, ...report }) => send(report);
  }
}
