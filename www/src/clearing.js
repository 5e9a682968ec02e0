/** @import { Buying, Outcome } from './buying.js' */

/**
 * An answer of the gate in the place of the site's. The request has not reached the site.
 *
 * @typedef {object} Refused
 * @property {string} url of the answer
 * @property {string} method of the request
 * @property {string | null} challenge of its header; without one the request was paid for, or is no longer asked to be
 * @property {number} retryAfter seconds
 * @property {number} began a reading of `performance.now()` from before the request was sent
 */

/**
 * A clearance that is being bought.
 *
 * @typedef {{outcome: Promise<Outcome>, hurry(): void}} Ongoing
 */

const running = document.currentScript;
// An image of the page's visitors may have that name.
const TAG = running instanceof HTMLScriptElement ? running : undefined;
/** What it loads stands beside this script. */
export const OWN_URL = TAG?.src || new URL('/.portcullis/portcullis.js', location.href).href;
/** So do the endpoints, unless the site serves the script itself and says where they are. */
export const BASE_URL = TAG?.dataset.base ? new URL(TAG.dataset.base, location.href).href : OWN_URL;
export const TOLD = TAG?.dataset.note !== 'off';
/** Loaded when there is something to solve, and not before. */
const BUYING_SCRIPT = '{{asset:buying.js}}';
/** A request is sent again for what others have bought, and while the site is busy, too; but not for ever. */
export const REPEATS_MAX = 3;
/** A question that hangs longer than this counts as not answered. */
const ASK_MS_MAX = 5_000;
/** So long nothing is bought after a purchase that came to nothing. */
const FAILED_MS = 10_000;
/** The same where this browser keeps no cookie. */
const REFUSED_MS = 600_000;

/**
 * By origin: what is being bought, which all requests wait for.
 *
 * @type {Map<string, Ongoing>}
 */
const purchases = new Map();
/**
 * By origin: a reading of `performance.now()` at the last purchase.
 *
 * @type {Map<string, number>}
 */
const boughtAt = new Map();
/**
 * By origin: a reading of `performance.now()` until which nothing is bought, and what came of the last purchase.
 *
 * @type {Map<string, {until: number, outcome: Outcome}>}
 */
const pauses = new Map();
/** Other origins that have endpoints, as far as that is known. */
const answering = new Set();
/** @type {((bought: boolean) => void)[]} */
const listeners = [];
/**
 * How often a script could not be loaded.
 *
 * @type {Map<string, number>}
 */
const failures = new Map();
/**
 * What buys, once it has been needed.
 *
 * @type {typeof import('./buying.js') | undefined}
 */
export let loaded;

/**
 * Whether an answer is the gate's, and may be read: a page of another site does not see the headers.
 *
 * @param {number} status
 * @param {string} url of the answer
 * @param {string} method of the request
 * @param {(name: string) => string | null} header of the answer
 * @param {number} began
 * @returns {Refused | undefined}
 */
export function readRefusal(status, url, method, header, began) {
  if (status !== 429 && status !== 503) {
    return undefined;
  }
  const challenge = status === 429 ? header('Portcullis-Challenge') : null;
  const refused = challenge !== null || header('Portcullis-Gate') !== null;
  return refused ? { url, method, challenge, retryAfter: Number(header('Retry-After')) || 0, began } : undefined;
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
 * Does what the gate asks for before the request may be sent again.
 *
 * @param {Refused} refused
 * @returns {Promise<Outcome>} whether it may be sent again, and whether what was bought was for it alone
 */
export async function settle(refused) {
  if (refused.challenge !== null) {
    return clear(refused);
  }
  if (refused.retryAfter) {
    const wait = load().then(({ waitForTurn }) => waitForTurn(refused.retryAfter, TOLD));
    await wait.catch(() => new Promise((resolve) => setTimeout(resolve, 1000 * refused.retryAfter)));
  }
  return 'others';
}

/**
 * Buys a clearance, or waits for the one that is being bought.
 *
 * @param {Refused} refused without a challenge it is asked for one
 * @returns {Promise<Outcome>}
 */
async function clear({ url, method, challenge, began }) {
  const { origin, pathname, search } = new URL(url);
  const present = purchases.get(origin);
  if (present) {
    present.hurry();
    const outcome = await present.outcome;
    return outcome === 'bought' ? 'others' : outcome;
  }
  if (began < (boughtAt.get(origin) ?? -Infinity)) {
    return 'others';
  }
  return pausedBy(origin) ?? buy(origin, pathname + search, method, { challenge: challenge ?? undefined }).outcome;
}

/**
 * Buys the next clearance while nobody waits for it.
 *
 * @param {number} leftMs so long nobody will
 */
export function renew(leftMs) {
  const { origin, pathname, search } = location;
  if (!purchases.has(origin) && !pausedBy(origin)) {
    buy(origin, pathname + search, 'GET', { leftMs });
  }
}

/**
 * For a request that the browser sends by itself, of which nobody can say before how it will go.
 *
 * @param {string} url of this origin, or of another that may belong to the site
 * @param {string} method
 * @returns {Promise<Outcome>}
 */
export async function ensureClearance(url, method) {
  const { origin } = new URL(url);
  for (let turn = 0; turn < REPEATS_MAX; turn++) {
    const { status, code } = await askWorth(url, method);
    if (status === 0) {
      // A host that has never answered is none of this site, or one that nobody can ask.
      return origin === location.origin || answering.has(origin) ? 'failed' : 'others';
    }
    answering.add(origin);
    // A verifier that is dead behind a web server may have the site open, and what is denied has a page that says so: the
    // browser will see.
    if (status !== 401 || code === 'denied') {
      return 'others';
    }
    const outcome = await clear({ url, method, challenge: null, retryAfter: 0, began: performance.now() });
    // What was bought for another request may be too little for this one.
    if (outcome !== 'others') {
      return outcome;
    }
  }
  return 'failed';
}

/**
 * What a clearance is worth to a navigation; status 0 where nobody answers.
 *
 * @param {string} url
 * @param {string} [method]
 * @returns {Promise<{status: number, code?: string, needed?: boolean, credits?: number, expires_in?: number}>}
 */
export async function askWorth(url, method = 'GET') {
  const { origin, pathname, search } = new URL(url);
  const question = new URL('clearance', baseOf(origin));
  question.search = String(new URLSearchParams({ for: pathname + search, method, once: `${Math.random()}` }));
  try {
    const response = await fetch(question, {
      cache: 'no-store',
      // The clearance of another host of this site is that host's cookie.
      credentials: 'include',
      signal: AbortSignal.timeout?.(ASK_MS_MAX),
    });
    return { ...(await response.json().catch(() => ({}))), status: response.status };
  } catch {
    return { status: 0 };
  }
}

/**
 * @param {string} origin
 * @returns {string} beside which URL its endpoints are
 */
function baseOf(origin) {
  return new URL(new URL(BASE_URL).pathname, origin).href;
}

/**
 * @param {string} origin
 * @returns {Outcome | undefined} why nothing is bought for now
 */
function pausedBy(origin) {
  const { until = 0, outcome } = pauses.get(origin) ?? {};
  return performance.now() < until ? outcome : undefined;
}

/** @param {(bought: boolean) => void} listener hears of every purchase that has come to its end */
export function onPurchase(listener) {
  listeners.push(listener);
}

/**
 * @param {string} origin
 * @param {string} target
 * @param {string} method
 * @param {{challenge?: string, leftMs?: number}} wish
 * @returns {Ongoing}
 */
function buy(origin, target, method, wish) {
  const place = { base: baseOf(origin), target, method: method.toUpperCase() };
  /** @type {Promise<Buying>} */
  const buying = load().then(({ Buying }) => new Buying(place, TOLD, wish));
  const outcome = buying
    .then((begun) => begun.outcome)
    // Gone after an upgrade of the server, or out of reach: the page gets the answer that there was.
    .catch(() => /** @type {const} */ ('failed'))
    .then((outcome) => {
      purchases.delete(origin);
      const bought = outcome === 'bought' || outcome === 'others';
      if (bought) {
        boughtAt.set(origin, performance.now());
      } else {
        const until = performance.now() + (outcome === 'refused' ? REFUSED_MS : FAILED_MS);
        pauses.set(origin, { until, outcome });
      }
      listeners.forEach((listener) => listener(bought));
      return outcome;
    });
  const ongoing = { outcome, hurry: () => void buying.then((begun) => begun.hurry()).catch(() => {}) };
  purchases.set(origin, ongoing);
  return ongoing;
}

/** @returns {Promise<typeof import('./buying.js')>} */
export async function load() {
  return (loaded = await loadModule(BUYING_SCRIPT));
}

/** @param {string} name of a script that stands beside this one */
export async function loadModule(name) {
  const failed = failures.get(name) ?? 0;
  const url = new URL(name, OWN_URL);
  // What did not come once is not asked for again under the same address, for as long as the page stays.
  url.hash = failed ? `${failed}` : '';
  return import(url.href).catch((error) => {
    failures.set(name, failed + 1);
    throw error;
  });
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
  return isStream(body) ? undefined : (body ?? null);
}

/** @param {any} body */
export function isStream(body) {
  const stream = typeof ReadableStream === 'function' && body instanceof ReadableStream;
  return stream || Boolean(body?.[Symbol.asyncIterator]);
}
