/**
 * The lane for browsers without WebAssembly: SHA-256 in plain JavaScript, synchronous, because one awaited digest per
 * attempt is a hundred times slower and missing on plain HTTP.
 */

/**
 * What every lane can do, after the names that the WebAssembly solver exports. Values may come back signed.
 *
 * @typedef {object} Lane
 * @property {(index: number, word: number) => void} setChallengeWord one of the 16 big-endian words of the challenge
 * @property {(subPuzzle: number) => void} prepare
 * @property {(nonceHigh: number, nonceLow: number, attempts: number) => number} run tries consecutive nonces; not 0 = found
 * @property {() => number} foundHigh
 * @property {() => number} foundLow
 * @property {(solution: DataView) => {high: number, low: number}} [guard] what a solution ends with, where it does
 */

/**
 * The first 32 bits of the fraction: FIPS 180-4 takes its constants from roots of primes.
 *
 * @param {number} root
 */
function fraction(root) {
  return ((root - Math.floor(root)) * 2 ** 32) | 0;
}

/** @returns {Lane} */
export function createJavaScriptLane() {
  /** @type {number[]} */
  const primes = [];
  for (let candidate = 2; primes.length < 64; candidate++) {
    if (primes.every((prime) => candidate % prime)) {
      primes.push(candidate);
    }
  }
  const constants = Int32Array.from(primes, (prime) => fraction(Math.cbrt(prime)));
  const initial = Int32Array.from(primes.slice(0, 8), (prime) => fraction(Math.sqrt(prime)));
  const challenge = new Int32Array(16);
  const words = new Int32Array(64);
  const state = new Int32Array(8);
  let targetHigh = 0;
  let targetLow = 0;
  let foundHigh = 0;
  let foundLow = 0;

  /**
   * @param {number} from
   * @param {number} to
   */
  function expand(from, to) {
    for (let i = from; i < to; i++) {
      const x = words[i - 15];
      const y = words[i - 2];
      words[i] =
        (words[i - 16] +
          words[i - 7] +
          (((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3)) +
          (((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10))) |
        0;
    }
  }

  /**
   * @param {number} from
   * @param {number} to
   */
  function rounds(from, to) {
    let [a, b, c, d, e, f, g, h] = state;
    for (let i = from; i < to; i++) {
      const t =
        (h +
          constants[i] +
          words[i] +
          (((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7))) +
          (g ^ (e & (f ^ g)))) |
        0;
      h = g;
      g = f;
      f = e;
      e = (d + t) | 0;
      d = c;
      c = b;
      b = a;
      a =
        (t +
          (((b >>> 2) | (b << 30)) ^ ((b >>> 13) | (b << 19)) ^ ((b >>> 22) | (b << 10))) +
          ((b & c) | (d & (b | c)))) |
        0;
    }
    state[0] = a;
    state[1] = b;
    state[2] = c;
    state[3] = d;
    state[4] = e;
    state[5] = f;
    state[6] = g;
    state[7] = h;
  }

  /** The seed: the challenge's 64 bytes and a block of padding. */
  function seed() {
    const hash = initial.slice();
    const padding = new Int32Array(16);
    padding[0] = 1 << 31;
    padding[15] = 512;
    for (const block of [challenge, padding]) {
      state.set(hash);
      words.set(block);
      expand(16, 64);
      rounds(0, 64);
      hash.forEach((word, i) => (hash[i] = word + state[i]));
    }
    return hash;
  }

  return {
    setChallengeWord(index, word) {
      challenge[index] = word;
    },
    prepare(subPuzzle) {
      const target = (2n ** 64n - 1n) / BigInt(challenge[1] >>> 0);
      targetHigh = Number(target >> 32n);
      targetLow = Number(target & 0xffffffffn);
      words.set(seed());
      words.set([subPuzzle, 0, 0, 1 << 31, 0, 0, 0, 352], 8);
    },
    run(nonceHigh, nonceLow, attempts) {
      words[9] = nonceHigh;
      state.set(initial);
      rounds(0, 10);
      const middle = state.slice();
      expand(16, 17);
      for (let i = 0; i < attempts; i++) {
        words[10] = nonceLow + i;
        expand(17, 64);
        state.set(middle);
        rounds(10, 64);
        const high = (state[0] + initial[0]) >>> 0;
        if (high <= targetHigh && (high < targetHigh || (state[1] + initial[1]) >>> 0 <= targetLow)) {
          foundHigh = nonceHigh;
          foundLow = words[10];
          return 1;
        }
      }
      return 0;
    },
    foundHigh: () => foundHigh,
    foundLow: () => foundLow,
  };
}
