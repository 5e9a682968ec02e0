/**
 * Runs the worker that visitors run, on a lane of our choice, and reads the reports that the challenge page would read;
 * and beside it, in the same way, the workers that it is held against.
 *
 * @typedef {object} Job
 * @property {string} script URL of the published script, which is the worker's too
 * @property {number} lane
 * @property {string} [module] URL of a wasm module to be run in the place of the lane's own
 * @property {number[]} words the challenge
 * @property {number} [workers] how many at once
 *
 * @typedef {{attempts?: number, puzzle?: number, high?: number, low?: number}} Report
 */

/**
 * Starts a worker and hands each of its reports to `hear`, until that gives something.
 *
 * @template T
 * @param {Job} job
 * @param {number} block
 * @param {(report: Report) => T | undefined} hear
 * @returns {Promise<T>}
 */
async function work(job, block, hear) {
  const module = job.module && (await WebAssembly.compile(await (await fetch(job.module)).arrayBuffer()));
  const order = { words: Uint32Array.from(job.words), puzzle: 0, block, lane: job.lane, module };
  return ask(job.script, () => order, (data) => {
    if (data.missing || data.refused || (data.lane !== undefined && data.lane !== job.lane)) {
      throw new Error(`lane ${job.lane} did not run: ${JSON.stringify(data)}`);
    }
    return data.attempts === undefined ? undefined : hear(data);
  });
}

/**
 * Starts a worker, sends it an order, and hands what it says to `hear`, until that gives something.
 *
 * @template T
 * @param {string} script
 * @param {() => unknown} order
 * @param {(data: any) => T | undefined} hear
 * @returns {Promise<T>}
 */
async function ask(script, order, hear) {
  const worker = new Worker(script, { type: 'module' });
  try {
    return await new Promise((resolve, reject) => {
      worker.onerror = ({ message }) => reject(new Error(`the worker failed: ${message}`));
      worker.onmessage = ({ data }) => {
        try {
          const result = hear(data);
          if (result !== undefined) {
            resolve(result);
          }
        } catch (error) {
          reject(error);
        }
      };
      Promise.resolve(order()).then((message) => worker.postMessage(message), reject);
    });
  } finally {
    worker.terminate();
  }
}

/**
 * Attempts a millisecond of all workers together, each in a window that begins with its first report after the warm-up.
 *
 * @param {Job} job
 * @param {number} warmUpMs
 * @param {number} windowMs
 */
globalThis.rate = async (job, warmUpMs, windowMs) => {
  const started = performance.now();
  const one = (/** @type {number} */ block) => {
    let begun = 0;
    let attempts = 0;
    return work(job, block, (report) => {
      const now = performance.now();
      if (begun) {
        attempts += report.attempts ?? 0;
      } else if (now - started > warmUpMs) {
        begun = now;
      }
      return begun && now - begun > windowMs ? attempts / (now - begun) : undefined;
    });
  };
  const rates = await Promise.all(Array.from({ length: job.workers ?? 1 }, (_, block) => one(block)));
  return rates.reduce((sum, rate) => sum + rate);
};

/**
 * Attempts a millisecond of another project's solver.
 *
 * @param {string} peer
 * @param {number} warmUpMs
 * @param {number} windowMs
 */
globalThis.peerRate = (peer, warmUpMs, windowMs) =>
  ask('peer.js', () => ({ peer, warmUpMs, windowMs }), (data) => {
    if (data.error) {
      throw new Error(`${peer}: ${data.error}`);
    }
    return data[0] / data[1];
  });

/**
 * Milliseconds of one start on average, so many one after the other: clocks are coarse.
 *
 * @param {number} starts
 * @param {() => Promise<unknown>} start
 */
async function average(starts, start) {
  const begun = performance.now();
  for (let number = 0; number < starts; number++) {
    await start();
  }
  return (performance.now() - begun) / starts;
}

/**
 * Milliseconds from nothing to the first report of attempts, in the way of the page: the module is fetched while the
 * worker starts, and compiled in the worker.
 *
 * @param {Job} job
 * @param {number} starts
 */
globalThis.firstHash = (job, starts) =>
  average(starts, () => {
    const order = async () => {
      const bytes = await (await fetch(job.module ?? '')).arrayBuffer();
      return { words: Uint32Array.from(job.words), puzzle: 0, block: 0, lane: job.lane, bytes };
    };
    return ask(job.script, order, ({ attempts }) => attempts);
  });

/**
 * The same of a worker that does nothing but call into an empty module.
 *
 * @param {number} starts
 */
globalThis.emptyWorker = (starts) =>
  average(starts, () => ask('empty.js', async () => (await fetch('empty.wasm')).arrayBuffer(), (one) => one));

/**
 * The nonces that solve a challenge, each as high and low word.
 *
 * @param {Job} job
 */
globalThis.solve = (job) => {
  const count = job.words[0] & 255;
  /** @type {number[][]} */
  const nonces = [];
  return work(job, 0, ({ puzzle, high, low }) => {
    if (puzzle !== undefined) {
      nonces[puzzle] = [high ?? 0, low ?? 0];
    }
    return Object.keys(nonces).length === count ? nonces : undefined;
  });
};
