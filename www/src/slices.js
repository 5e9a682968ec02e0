/** @import { Lane } from './sha256.js' */

/**
 * What the page sends: first everything, later the sub-puzzle to turn to.
 *
 * @typedef {object} Order
 * @property {number} puzzle
 * @property {Uint32Array} [words] the challenge
 * @property {number} [block] this solver's own high word of the nonces, so that no two try the same
 * @property {number} [rest] how much longer than a slice the pause after it is
 * @property {number} [lane] the first of `LANES` to try
 * @property {WebAssembly.Module} [module] of that lane, where another worker has compiled it already
 * @property {boolean} [shared] whether the page can take a compiled module
 * @property {ArrayBuffer} [bytes] of that lane's module, where the page has fetched it already
 * @property {DataView} [solution] all nonces: a guard is to be found for them
 */

/**
 * What a solver reports: attempts, now and then with a nonce that solves a sub-puzzle; the first time also its lane.
 *
 * @typedef {object} Report
 * @property {number} [lane]
 * @property {WebAssembly.Module} [module]
 * @property {boolean} [missing] an asset is gone from the server
 * @property {boolean} [exhausted] there is no memory for this solver
 * @property {boolean} [refused] this browser does not compile what `hashwx` needs
 * @property {number} [attempts] since the last report
 * @property {number} [puzzle]
 * @property {number} [high]
 * @property {number} [low]
 */

/**
 * A lane that is ready, and what the first report says of it.
 *
 * @typedef {{lane: Lane, report: Report}} Opened
 */

/** A slice shorter or longer than this is doubled or halved: short enough for a page that shares its thread with it. */
const SLICE_MS_MIN = 5;
const SLICE_MS_MAX = 13;
/** Also what a rate that the page reckons after half a second may be wrong by: a fifth at most. */
const REPORT_EVERY_MS = 100;
/** More than there will ever be solvers on one page. */
const BLOCKS = 2 ** 16;

/**
 * Solves in slices, in a worker or, where there is none, in the page: both have the shape of a `Worker`.
 *
 * @param {(report: Report) => void} send
 * @param {(order: Order, send: (report: Report) => void) => Promise<Opened | undefined>} openLane
 * @param {{first: number, most: number, stride: number}} sizes attempts of the first slice and of the longest one; no slice
 *   passes a multiple of the third
 */
export function createSlices(send, openLane, sizes) {
  // A message to oneself gives way to everything that waits, without the 4 ms that a nested timer costs.
  const pulse = new MessageChannel();
  /** @type {Lane | undefined} */
  let lane;
  let puzzle = 0;
  let count = 0;
  let high = 0;
  let low = 0;
  let size = sizes.first;
  let attempts = 0;
  let reportedAt = -Infinity;
  let rest = 0;
  let idle = true;

  /** @param {number} next */
  function turnTo(next) {
    puzzle = next;
    low = 0;
    idle = puzzle >= count;
    if (!idle) {
      lane?.prepare(puzzle);
    }
  }

  pulse.port1.onmessage = () => solve();

  /** @param {Report} [opened] what the first report says besides */
  function solve(opened) {
    if (idle || !lane) {
      return;
    }
    const begun = performance.now();
    const slice = Math.min(size, sizes.stride - (low % sizes.stride));
    const found = lane.run(high, low, slice);
    const now = performance.now();
    attempts += found ? (lane.foundLow() >>> 0) - low + 1 : slice;
    if (now - begun < SLICE_MS_MIN) {
      size = Math.min(2 * size, sizes.most);
    } else if (now - begun > SLICE_MS_MAX) {
      size = Math.ceil(size / 2);
    }
    const due = opened || found || now - reportedAt > REPORT_EVERY_MS;
    /** @type {Report} */
    const report = { ...opened, attempts };
    if (found) {
      Object.assign(report, { puzzle, high: lane.foundHigh() >>> 0, low: lane.foundLow() >>> 0 });
      // In the page the answer to a report comes at once, and must not find this solver a sub-puzzle behind.
      turnTo(puzzle + 1);
    } else {
      low += slice;
      if (low >= 2 ** 32) {
        low = 0;
        high += BLOCKS;
      }
    }
    if (due) {
      attempts = 0;
      reportedAt = now;
      deliver(send, report);
    }
    if (rest) {
      setTimeout(solve, rest * (now - begun));
    } else {
      pulse.port2.postMessage(0);
    }
  }

  return {
    /** @param {Order} order */
    async postMessage(order) {
      rest = order.rest ?? rest;
      if (order.words) {
        const opened = await openLane(order, send);
        if (!opened) {
          return;
        }
        const { report } = opened;
        lane = opened.lane;
        order.words.forEach((word, index) => opened.lane.setChallengeWord(index, word));
        count = order.words[0] & 255;
        high = order.block ?? 0;
        turnTo(Math.max(order.puzzle, puzzle));
        // Not out of this promise, in which an error would reach nobody.
        queueMicrotask(() => solve(report));
      } else if (order.solution && lane?.guard) {
        idle = true;
        send({ puzzle: order.puzzle, ...lane.guard(order.solution) });
      } else if (order.puzzle > puzzle) {
        turnTo(order.puzzle);
      }
    },
    terminate() {
      idle = true;
      pulse.port1.close();
    },
  };
}

/**
 * @param {(report: Report) => void} send
 * @param {Report} report perhaps with a module, which not every browser lets pass
 */
function deliver(send, { module, ...report }) {
  if (module) {
    try {
      send({ ...report, module });
      return;
    } catch {
      // The other workers compile it themselves.
    }
  }
  send(report);
}

/** @param {unknown} error */
export function outOfMemory(error) {
  return error instanceof RangeError || /out of memory/i.test(String(error));
}
