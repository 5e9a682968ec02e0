/**
 * A worker that runs another project's solver as that project's own page does, and counts attempts.
 *
 * @typedef {() => Promise<number>} Batch makes some attempts and says how many
 */

/** What the solvers below are asked is this project's affair; they only have to work as long as they do for real. */
const CAP_SALT_LENGTH = 50;
/** Four hex digits: 65,536 attempts on average. */
const CAP_TARGET_DIGITS = 4;
const MCAPTCHA_DIFFICULTY = 50_000;
const FRIENDLY_ATTEMPTS = 100_000;
const FRIENDLY_CHECK_ATTEMPTS = 1000;
const DIGESTS = 200;

/** @type {Record<string, () => Promise<Batch>>} */
const PEERS = {
  '@cap.js/wasm': async () => {
    const { default: init, solve_pow } = await import('/peers/@cap.js/wasm/browser/cap_wasm.js');
    await init();
    let number = 0;
    return async () => {
      const salt = String(number++).padStart(CAP_SALT_LENGTH, 'x');
      const target = (number % 16 ** CAP_TARGET_DIGITS).toString(16).padStart(CAP_TARGET_DIGITS, '0');
      const nonce = solve_pow(salt, target);
      const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(salt + nonce));
      const hex = Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('');
      if (!hex.startsWith(target)) {
        throw new Error(`${nonce} does not solve`);
      }
      return Number(nonce) + 1;
    };
  },

  '@mcaptcha/pow-wasm': async () => {
    const glue = await import('/peers/@mcaptcha/pow-wasm/pow_wasm_bg.js');
    const bytes = await (await fetch('/peers/@mcaptcha/pow-wasm/pow_wasm_bg.wasm')).arrayBuffer();
    const { instance } = await WebAssembly.instantiate(bytes, { './pow_wasm_bg.js': glue });
    glue.__wbg_set_wasm(instance.exports);
    let number = 0;
    return async () => {
      const { nonce, result } = JSON.parse(glue.gen_pow('a salt of some length', `phrase ${number++}`, MCAPTCHA_DIFFICULTY));
      // A digest's leading 128 bits in decimal: all but a 50,000th of them begin beyond this.
      if (BigInt(result) < ((1n << 128n) / BigInt(MCAPTCHA_DIFFICULTY)) * BigInt(MCAPTCHA_DIFFICULTY - 1)) {
        throw new Error(`${result} does not solve`);
      }
      return nonce;
    };
  },

  'friendly-pow, blake2b': async () => {
    const { getWasmSolver } = await import('/peers/friendly-pow/api/wasm.js');
    const bytes = await (await fetch('/peers/friendly-pow/wasm/optimized.wasm')).arrayBuffer();
    const solve = await getWasmSolver(await WebAssembly.compile(bytes));
    const puzzle = crypto.getRandomValues(new Uint8Array(128));
    const threshold = 2 ** 32 / FRIENDLY_CHECK_ATTEMPTS;
    const [, hash] = solve(puzzle, threshold, 100 * FRIENDLY_CHECK_ATTEMPTS);
    if (new DataView(hash.buffer, hash.byteOffset).getUint32(0, true) >= threshold) {
      throw new Error('it does not solve');
    }
    return async () => {
      crypto.getRandomValues(puzzle.subarray(0, 64));
      // Nothing is below 0: it tries them all.
      solve(puzzle, 0, FRIENDLY_ATTEMPTS);
      return FRIENDLY_ATTEMPTS;
    };
  },

  'awaited `crypto.subtle.digest`': async () => {
    const message = crypto.getRandomValues(new Uint8Array(44));
    return async () => {
      for (let number = 0; number < DIGESTS; number++) {
        new DataView(message.buffer).setUint32(40, number);
        await crypto.subtle.digest('SHA-256', message);
      }
      return DIGESTS;
    };
  },
};

addEventListener('message', async ({ data: { peer, warmUpMs, windowMs } }) => {
  try {
    const batch = await PEERS[peer]();
    const started = performance.now();
    while (performance.now() - started < warmUpMs) {
      await batch();
    }
    const begun = performance.now();
    let attempts = 0;
    while (performance.now() - begun < windowMs) {
      attempts += await batch();
    }
    postMessage([attempts, performance.now() - begun]);
  } catch (error) {
    postMessage({ error: String(error) });
  }
});
