import { createSlices, outOfMemory } from './slices.js';
import { initSync, set_challenge_word, prepare, run, found_high, found_low } from './solver.js';

/** @import { Opened, Order, Report } from './slices.js' */

/** Fastest first. */
export const LANES = /** @type {const} */ (['simd', 'scalar', 'javascript']);

/** A browser without WebAssembly fetches none. */
export const MODULES =
  typeof WebAssembly === 'object' ? ['{{asset:solver-simd.wasm}}', '{{asset:solver-scalar.wasm}}'] : [];

/** Few, because they run before any compiler has made them fast, and the page waits for them. */
const SIZES = { first: 32, most: 2 ** 22, stride: 2 ** 32 };

/** The worker's side of this script. */
export function startWorker() {
  const solver = createSolver((report) => self.postMessage(report));
  addEventListener('message', ({ data }) => solver.postMessage(data));
}

/** @param {(report: Report) => void} send */
export function createSolver(send) {
  return createSlices(send, openLane, SIZES);
}

/**
 * The best lane that this browser really runs: a feature test says what a browser claims, not what it does.
 *
 * @param {Order} order
 * @param {(report: Report) => void} send
 * @returns {Promise<Opened | undefined>} nothing where memory has run out: fewer solvers may have enough
 */
async function openLane(order, send) {
  for (let index = order.lane ?? 0; index < MODULES.length; index++) {
    try {
      const module = order.module ?? (await WebAssembly.compile(order.bytes ?? (await download(index, send))));
      initSync({ module });
      const lane = { setChallengeWord: set_challenge_word, prepare, run, foundHigh: found_high, foundLow: found_low };
      return { lane, report: { lane: index, module: order.shared ? module : undefined } };
    } catch (error) {
      if (outOfMemory(error)) {
        send({ exhausted: true });
        return;
      }
      order.module = order.bytes = undefined;
    }
  }
  // Few browsers need it: it is fetched where it is.
  try {
    const script = await import(new URL('{{asset:sha256.js}}', import.meta.url).href);
    return { lane: script.createJavaScriptLane(), report: { lane: LANES.length - 1 } };
  } catch {
    send({ missing: true });
    return;
  }
}

/**
 * The bytes of a lane's module, fetched in the page while the worker starts, or in the worker. Compiled they are in the
 * worker only: a site's policy for its pages may forbid that.
 *
 * @param {number} lane
 * @param {(report: Report) => void} send
 */
export async function download(lane, send) {
  const response = await fetch(new URL(MODULES[lane], import.meta.url));
  if (response.status === 404) {
    send({ missing: true });
  }
  return response.arrayBuffer();
}
