/**
 * Runs the worker that visitors run, on a lane of our choice, and reads the reports that the challenge page would read.
 *
 * @typedef {object} Job
 * @property {string} script URL of the published script, which is the worker's too
 * @property {number} lane
 * @property {string} [module] URL of a wasm module to be run in the place of the lane's own
 * @property {number[]} words the challenge
 */

/**
 * Starts a worker and hands each of its reports to `hear`, until that gives something.
 *
 * @template T
 * @param {Job} job
 * @param {(report: {attempts?: number, puzzle?: number, high?: number, low?: number}) => T | undefined} hear
 * @returns {Promise<T>}
 */
async function work(job, hear) {
  const module = job.module && (await WebAssembly.compile(await (await fetch(job.module)).arrayBuffer()));
  const worker = new Worker(job.script, { type: 'module' });
  try {
    return await new Promise((resolve, reject) => {
      worker.onerror = ({ message }) => reject(new Error(`the worker failed: ${message}`));
      worker.onmessage = ({ data }) => {
        if (data.missing || (data.lane !== undefined && data.lane !== job.lane)) {
          reject(new Error(`lane ${job.lane} did not run: ${JSON.stringify(data)}`));
        }
        const result = data.attempts === undefined ? undefined : hear(data);
        if (result !== undefined) {
          resolve(result);
        }
      };
      worker.postMessage({ words: Uint32Array.from(job.words), puzzle: 0, block: 0, lane: job.lane, module });
    });
  } finally {
    worker.terminate();
  }
}

/**
 * Attempts and milliseconds of one window, which begins with the first report after the warm-up.
 *
 * @param {Job} job
 * @param {number} warmUpMs
 * @param {number} windowMs
 */
globalThis.rate = (job, warmUpMs, windowMs) => {
  const started = performance.now();
  let begun = 0;
  let attempts = 0;
  return work(job, (report) => {
    const now = performance.now();
    if (begun) {
      attempts += report.attempts;
    } else if (now - started > warmUpMs) {
      begun = now;
    }
    return begun && now - begun > windowMs ? [attempts, now - begun] : undefined;
  });
};

/**
 * The nonces that solve a challenge, each as high and low word.
 *
 * @param {Job} job
 */
globalThis.solve = (job) => {
  const count = job.words[0] & 255;
  /** @type {number[][]} */
  const nonces = [];
  return work(job, ({ puzzle, high, low }) => {
    if (puzzle !== undefined) {
      nonces[puzzle] = [high, low];
    }
    return Object.keys(nonces).length === count ? nonces : undefined;
  });
};
