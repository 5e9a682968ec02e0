import { encodeBase64url } from './base64url.js';
import { LANES, MODULES, createSolver, download } from './worker.js';

/** @import { Challenge } from './protocol.js' */
/** @import { Order, Report } from './slices.js' */
/** @import { Progress } from './tabs.js' */

/**
 * A worker, or what stands in for it where there can be none. Who has set these hears what it says, that it has died, and that it
 * cannot be understood.
 *
 * @typedef {object} Solver
 * @property {(order: Order) => void} postMessage
 * @property {() => void} terminate
 * @property {((event: any) => void) | null} [onmessage]
 * @property {((event?: any) => void) | null} [onerror]
 * @property {((event: any) => void) | null} [onmessageerror]
 */

/**
 * Attempts between two readings of `performance.now()`.
 *
 * @typedef {{attempts: number, since: number, until: number}} Rate
 */

/**
 * @typedef {object} PoolEvents
 * @property {(lane: 'hashwx' | 'simd' | 'scalar' | 'javascript') => void} ready
 * @property {() => void} progressed
 * @property {(solution: string) => void} solved
 * @property {() => void} stuck no lane makes progress
 * @property {() => void} assetMissing
 * @property {() => void} refused this browser does not do `hashwx`
 * @property {(url: string) => Solver} [open] a worker of a script, where it is not to be opened as usual
 */

/** This very script, which is also the worker's, and the one beside it for `hashwx`. */
export const SCRIPTS = [import.meta.url, new URL('{{asset:hashwx.js}}', import.meta.url).href];

const WORKERS_MAX = 8;
/** A solver that shares the machine rests so long for each moment of work: it is a quarter busy. */
const REST = 3;
/** Calls of `tick`, one a second, without a report; before the first lane is ready the network has a part in it. */
const SILENT_TICKS_MAX = 4;
const LOADING_TICKS_MAX = 15;
/** The running estimate of the rate begins here and forgets half of what is older than the second figure. */
const RATE_MS_MIN = 500;
const RATE_MS_MAX = 4000;

/** WebKit's SIMD shifts take four instructions each on x86: its scalar code is a fifth faster there. */
const FIRST_LANE = /^Apple/.test(navigator.vendor) && /x86_64$/.test(navigator.platform) ? 1 : 0;

/** Everything that solves for this page. All work on the same sub-puzzle, each on nonces of its own. */
export class Pool {
  /** @type {Solver[]} */
  #solvers = [];
  /** @type {Challenge | undefined} */
  #challenge;
  /** @type {DataView} */
  #solution = new DataView(new ArrayBuffer(0));
  #solved = 0;
  #blocks = 0;
  /** The best lane still believed in; beyond the last one the page itself solves. */
  #lane = FIRST_LANE;
  #ready = false;
  /** @type {WebAssembly.Module | undefined} */
  #module;
  /** Firefox hands no compiled module to a page whose policy lets it compile none: then each solver compiles its own. */
  #shared = true;
  #silentTicks = 0;
  #attended = false;
  #gentle = false;
  /** Less once memory has run out. */
  #sizeMax = WORKERS_MAX;
  /**
   * What each solver has made since its first report, which says when it began: the others come later than the first.
   *
   * @type {Map<Solver, Rate>}
   */
  #rates = new Map();
  /** A reading of `performance.now()`: so long there have been these solvers. */
  #since = 0;
  #events;

  /** @param {PoolEvents} events */
  constructor(events) {
    this.#events = events;
  }

  get running() {
    return this.#solvers.length > 0;
  }

  get gentle() {
    return this.#gentle;
  }

  /** @param {boolean} gentle one solver, which mostly rests */
  pace(gentle) {
    if (gentle !== this.#gentle) {
      this.#gentle = gentle;
      this.#restartRate();
      this.#solvers.forEach((solver) => solver.postMessage({ puzzle: this.#solved, rest: gentle ? REST : 0 }));
    }
  }

  /**
   * @param {Challenge} challenge
   * @param {boolean} attended with all cores, or with one while nobody looks
   */
  start(challenge, attended) {
    this.stop();
    if (this.#challenge?.hashwx !== challenge.hashwx) {
      this.#module = undefined;
    }
    this.#challenge = challenge;
    // With `hashwx` a guard stands behind the nonces.
    this.#solution = new DataView(new ArrayBuffer(8 * (challenge.count + (challenge.hashwx ? 1 : 0))));
    this.#solved = 0;
    this.resize(attended);
  }

  stop() {
    for (const solver of this.#solvers.splice(0)) {
      solver.terminate();
    }
    this.#ready = false;
    this.#silentTicks = 0;
  }

  /** @param {boolean} attended */
  resize(attended) {
    this.#attended = attended;
    const cores = Math.min(navigator.hardwareConcurrency || 2, this.#sizeMax);
    // The first one finds a lane, and compiles for all. While it does, none stands in its way.
    const size = this.#ready && attended && !this.#gentle && this.#lane < LANES.length ? cores : 1;
    if (size === this.#solvers.length) {
      return;
    }
    this.#restartRate();
    while (this.#solvers.length > size) {
      this.#solvers.pop()?.terminate();
    }
    while (this.#solvers.length < size && this.#add()) {
      // Until it has its size, or has become a single solver in the page.
    }
  }

  /** Once a second. */
  tick() {
    if (this.running && ++this.#silentTicks > (this.#ready ? SILENT_TICKS_MAX : LOADING_TICKS_MAX)) {
      this.stepDown();
    }
  }

  /** Gives up the lane in use for the next one. */
  stepDown() {
    if (this.#challenge?.hashwx) {
      this.#refuse();
      return;
    }
    if (this.#lane >= LANES.length) {
      this.#events.stuck();
      return;
    }
    // What never came to life is not cured by another wasm file.
    this.#open(this.#ready || this.#lane === LANES.length - 1 ? this.#lane + 1 : LANES.length - 1);
  }

  /** The verifier found fault with what the lane in use had found: the next start takes the next one. */
  distrust() {
    this.#lane = Math.min(this.#lane + 1, LANES.length - 1);
    this.#module = undefined;
  }

  /** @returns {Progress} with the seconds that the rest takes on average; what is done of a sub-puzzle does not count */
  progress() {
    const { count = 0, difficulty = 0 } = this.#challenge ?? {};
    const solved = Math.min(this.#solved, count);
    let rate = 0;
    for (const { attempts, since, until } of this.#rates.values()) {
      rate += attempts / (until - since || 1);
    }
    const left = ((count - solved) * difficulty) / rate / 1000;
    const seconds = rate && performance.now() - this.#since > RATE_MS_MIN ? left : undefined;
    return { solved, count, seconds };
  }

  /** What this browser does not do, it does not try again. */
  #refuse() {
    this.stop();
    this.#events.refused();
  }

  /** @param {number} lane that all begin anew with */
  #open(lane) {
    if (lane !== this.#lane) {
      this.#lane = lane;
      this.#module = undefined;
    }
    this.stop();
    this.resize(this.#attended);
  }

  /** Memory has run out, or a worker has died: half of them go on, and where there is but one, the next lane. */
  #shed() {
    const { length } = this.#solvers;
    if (length > 1) {
      this.#sizeMax = length >> 1;
      this.#open(this.#lane);
    } else if (this.#challenge?.hashwx) {
      this.#refuse();
    } else {
      this.#open(this.#lane + 1);
    }
  }

  #restartRate() {
    this.#rates.clear();
    this.#since = performance.now();
  }

  /** @returns {boolean} whether there can be more */
  #add() {
    if (this.#lane < LANES.length) {
      try {
        /** @type {Solver} */
        const worker = (this.#events.open ?? openWorker)(SCRIPTS[this.#challenge?.hashwx ? 1 : 0]);
        worker.onmessage = ({ data }) => this.#hear(worker, data);
        worker.onerror = () => this.#lose(worker);
        worker.onmessageerror = () => this.#unshare(worker);
        this.#solvers.push(worker);
        this.#command(worker);
        return true;
      } catch {
        this.#lane = LANES.length;
        this.stop();
      }
    }
    if (this.#challenge?.hashwx) {
      this.#refuse();
      return false;
    }
    const solver = createSolver((report) => this.#hear(solver, report));
    this.#solvers.push(solver);
    this.#command(solver);
    return false;
  }

  /** @param {Solver} solver */
  async #command(solver) {
    const lane = this.#lane;
    const bytes =
      this.#module || lane >= MODULES.length || this.#challenge?.hashwx
        ? undefined
        : await download(lane, (report) => this.#hear(solver, report)).catch(() => undefined);
    // A solver that was given up meanwhile hears nothing of it.
    solver.postMessage({
      bytes,
      words: this.#challenge?.words,
      puzzle: this.#solved,
      block: this.#blocks++,
      rest: this.#gentle ? REST : 0,
      lane,
      module: this.#module,
      shared: this.#shared,
    });
  }

  /** @param {Solver} solver what it sent cannot be read */
  #unshare(solver) {
    if (!this.#shared) {
      this.#lose(solver);
    } else if (this.#solvers.includes(solver)) {
      this.#shared = false;
      this.#open(this.#lane);
    }
  }

  /**
   * A worker that fails before it is ready was not loaded: either it is gone from the server, or it is not allowed.
   *
   * @param {Solver} solver
   */
  async #lose(solver) {
    if (!this.#solvers.includes(solver)) {
      return;
    }
    if (this.#ready) {
      this.#shed();
      return;
    }
    if (this.#challenge?.hashwx) {
      this.#refuse();
      return;
    }
    this.#open(LANES.length);
    const { status } = await fetch(import.meta.url, { method: 'HEAD', cache: 'no-store' }).catch(() => ({ status: 0 }));
    if (status === 404) {
      this.#events.assetMissing();
    }
  }

  /**
   * @param {Solver} solver
   * @param {Report} report
   */
  #hear(solver, report) {
    if (!this.#solvers.includes(solver)) {
      return;
    }
    this.#silentTicks = 0;
    if (report.missing) {
      this.#events.assetMissing();
    } else if (report.exhausted) {
      this.#shed();
    } else if (report.refused) {
      this.#refuse();
    } else {
      if (report.lane !== undefined) {
        this.#begin(report.lane, report.module);
      }
      this.#count(solver, report);
    }
  }

  /**
   * @param {number} lane
   * @param {WebAssembly.Module} [module]
   */
  #begin(lane, module) {
    if (this.#ready) {
      return;
    }
    this.#ready = true;
    this.#lane = Math.max(lane, this.#lane);
    this.#module = module;
    this.#restartRate();
    this.resize(this.#attended);
    this.#events.ready(this.#challenge?.hashwx ? 'hashwx' : LANES[lane]);
  }

  /**
   * @param {Solver} solver
   * @param {Report} report
   */
  #count(solver, { attempts = 0, puzzle, high = 0, low = 0 }) {
    const now = performance.now();
    const rate = this.#rates.get(solver);
    if (rate) {
      rate.attempts += attempts;
      rate.until = now;
      const elapsed = now - rate.since;
      if (elapsed > RATE_MS_MAX) {
        rate.attempts /= 2;
        rate.since += elapsed / 2;
      }
    } else {
      this.#rates.set(solver, { attempts: 0, since: now, until: now });
    }
    if (puzzle === this.#solved) {
      this.#solution.setUint32(8 * puzzle, high);
      this.#solution.setUint32(8 * puzzle + 4, low);
      this.#solved++;
      const solution = this.#solved === this.#challenge?.count ? this.#solution : undefined;
      this.#solvers.forEach((other) => other.postMessage({ puzzle: this.#solved, solution }));
    }
    this.#events.progressed();
    if (8 * this.#solved === this.#solution.byteLength) {
      this.stop();
      this.#events.solved(encodeBase64url(new Uint8Array(this.#solution.buffer)));
    }
  }
}

/** @type {{createScriptURL(url: string): any} | undefined} */
let policy;

/**
 * Under Trusted Types where there are any. Throws where the site's own policy does not let us.
 *
 * @param {any} url
 */
function openWorker(url) {
  const { trustedTypes } = /** @type {any} */ (globalThis);
  policy ??= trustedTypes?.createPolicy('portcullis', {
    /** @param {string} url */
    createScriptURL(url) {
      if (!SCRIPTS.includes(url)) {
        throw new TypeError('not our script');
      }
      return url;
    },
  });
  return new Worker(policy ? policy.createScriptURL(url) : url, { type: 'module' });
}
