/** @import { Outcome } from './buying.js' */

/**
 * A request that the gate did not admit.
 *
 * @typedef {object} Refused
 * @property {string} url of the answer
 * @property {string} challenge of the answer's header
 * @property {number} began a reading of `performance.now()` from before the request was sent
 */

const TAG = /** @type {HTMLScriptElement | null} */ (document.currentScript);
/** Endpoints and assets stand beside this script. */
const OWN_URL = TAG?.src || new URL('/.portcullis/portcullis.js', location.href).href;
/** Loaded when there is something to solve, and not before. */
const BUYING_SCRIPT = '{{asset:buying.js}}';
/** A request is sent again for what others have bought, too; but not for ever. */
export const REPEATS_MAX = 3;

/**
 * By origin: what is being bought, which all requests wait for.
 *
 * @type {Map<string, Promise<Outcome>>}
 */
const purchases = new Map();
/**
 * By origin: a reading of `performance.now()` at the last purchase.
 *
 * @type {Map<string, number>}
 */
const boughtAt = new Map();

/**
 * Whether an answer is the gate's, and may be read: a page of another site does not see the header.
 *
 * @param {number} status
 * @param {string | null} challenge
 */
export function isRefused(status, challenge) {
  return status === 429 && challenge !== null;
}

/**
 * Whether a clearance of that origin goes with a request to it.
 *
 * @param {string} url
 * @param {boolean} withCookies of other origins
 */
export function carriesClearance(url, withCookies) {
  return withCookies || new URL(url).origin === location.origin;
}

/**
 * Buys a clearance, or waits for the one that is being bought.
 *
 * @param {Refused} refused
 * @returns {Promise<Outcome>} whether the request may be sent again, and whether what was bought was for it alone
 */
export function clear({ url, challenge, began }) {
  const { origin, pathname, search } = new URL(url);
  const present = purchases.get(origin);
  if (present) {
    return present.then((outcome) => (outcome === 'bought' ? 'others' : outcome));
  }
  if (began < (boughtAt.get(origin) ?? -Infinity)) {
    return Promise.resolve('others');
  }
  const base = new URL(new URL(OWN_URL).pathname, origin).href;
  const purchase = import(new URL(BUYING_SCRIPT, OWN_URL).href)
    .then(({ buy }) => buy({ base, target: pathname + search }, challenge, TAG?.dataset.note !== 'off'))
    // Gone after an upgrade of the server, or out of reach: the page gets the answer that there was.
    .catch(() => 'failed')
    .then((/** @type {Outcome} */ outcome) => {
      purchases.delete(origin);
      if (outcome !== 'failed') {
        boughtAt.set(origin, performance.now());
      }
      return outcome;
    });
  purchases.set(origin, purchase);
  return purchase;
}

/**
 * A body as it is now, where it can be sent more than once: what the page does to it later does not count.
 *
 * @param {any} body
 * @returns {any} `undefined` for a stream
 */
export function keepBody(body) {
  if (body instanceof FormData) {
    const kept = new FormData();
    body.forEach((value, name) => kept.append(name, value));
    return kept;
  }
  if (body instanceof URLSearchParams) {
    return new URLSearchParams(body);
  }
  if (body instanceof ArrayBuffer || ArrayBuffer.isView(body)) {
    return new Blob([/** @type {ArrayBuffer} */ (body)]);
  }
  const stream = typeof ReadableStream === 'function' && body instanceof ReadableStream;
  return stream || body?.[Symbol.asyncIterator] ? undefined : (body ?? null);
}
