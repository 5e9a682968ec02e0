import {
  initSync,
  set_challenge_word,
  write_module,
  module_word,
  set_nonce,
  find_guard,
  guard_high,
  guard_low,
} from './hashwx-solver.js';
import { keepModules } from './framed-worker.js';
import { createSlices, outOfMemory } from './slices.js';

/** @import { Lane } from './sha256.js' */
/** @import { Opened, Order, Report } from './slices.js' */

/** Nonces that share their programs, and so a module. */
const BLOCK = 2 ** 16;
/** A call that runs is not switched to optimised code: many short ones get it soon. */
const SIZES = { first: 128, most: 1024, stride: BLOCK };

// This script is a worker and nothing else: the page has it only where it is to solve `hashwx`.
keepModules();
const solver = createSlices((report) => self.postMessage(report), openLane, SIZES);
addEventListener('message', ({ data }) => solver.postMessage(data));

/**
 * Only where this browser compiles such a module here and now.
 *
 * @param {Order} order
 * @param {(report: Report) => void} send
 * @returns {Promise<Opened | undefined>}
 */
async function openLane(order, send) {
  try {
    const module = order.module ?? (await WebAssembly.compile(await download(send)));
    initSync({ module });
    compile(0, 0, 0);
    return { lane: createLane(), report: { lane: 0, module: order.shared ? module : undefined } };
  } catch (error) {
    send(outOfMemory(error) ? { exhausted: true } : { refused: true });
    return undefined;
  }
}

/** @returns {Lane} */
function createLane() {
  let puzzle = 0;
  /** @type {((high: number, low: number, attempts: number) => number) | undefined} */
  let search;
  let [searchedHigh, searchedBlock] = [0, 0];
  let [foundHigh, foundLow] = [0, 0];
  return {
    setChallengeWord: set_challenge_word,
    prepare(next) {
      puzzle = next;
      search = undefined;
    },
    run(high, low, attempts) {
      const block = low >>> 16;
      if (!search || high !== searchedHigh || block !== searchedBlock) {
        search = compile(puzzle, high, low);
        [searchedHigh, searchedBlock] = [high, block];
      }
      const left = search(high, low, attempts);
      [foundHigh, foundLow] = [high, low + attempts - left];
      return left;
    },
    foundHigh: () => foundHigh,
    foundLow: () => foundLow,
    guard(solution) {
      for (let index = 0; 8 * index < solution.byteLength - 8; index++) {
        set_nonce(index, solution.getUint32(8 * index), solution.getUint32(8 * index + 4));
      }
      find_guard();
      return { high: guard_high() >>> 0, low: guard_low() >>> 0 };
    },
  };
}

/**
 * The search over the block of nonces that a nonce belongs to.
 *
 * @param {number} puzzle
 * @param {number} high
 * @param {number} low
 */
function compile(puzzle, high, low) {
  const length = write_module(puzzle, high >>> 16, ((high << 16) | (low >>> 16)) >>> 0);
  const bytes = new DataView(new ArrayBuffer(length + 3));
  for (let index = 0; 4 * index < length; index++) {
    bytes.setUint32(4 * index, module_word(index), true);
  }
  const module = new WebAssembly.Module(new Uint8Array(bytes.buffer, 0, length));
  return /** @type {(high: number, low: number, attempts: number) => number} */ (
    new WebAssembly.Instance(module).exports.run
  );
}

/** @param {(report: Report) => void} send */
async function download(send) {
  const response = await fetch(new URL('{{asset:hashwx.wasm}}', import.meta.url));
  if (response.status === 404) {
    send({ missing: true });
  }
  return response.arrayBuffer();
}
