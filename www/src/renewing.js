import { BASE_URL, askWorth, onPurchase, renew } from './clearing.js';

/** Most pages are left sooner. */
const FIRST_ASK_MS = 15_000;
const ASK_EVERY_MS = 60_000;
/** A challenge's life, less a minute: the slowest phone needs no more for the dearest one, with one core a quarter busy. */
const LEAD_MS_MAX = 240_000;
/** Of a clearance that lives shorter, the last third. */
const LEAD_PART = 3;

/** A reading of `performance.now()`; and of what the clearance held then. */
let askedAt = 0;
let creditsThen = 0;
let lifeMs = 0;
let dueAt = Infinity;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let timer;

/**
 * Buys the next clearance before the one that the browser has is spent or out of date: while somebody looks at the page, and
 * never where data is to be saved, or while nothing is asked of anybody.
 */
export function keepClearance() {
  // Only then do the endpoints belong to the site that the page is of.
  if (new URL(BASE_URL).origin !== location.origin) {
    return;
  }
  askIn(FIRST_ASK_MS);
  onPurchase((bought) => askIn(bought ? FIRST_ASK_MS : ASK_EVERY_MS));
  document.addEventListener('visibilitychange', () => performance.now() >= dueAt && look());
}

/** @param {number} ms */
function askIn(ms) {
  clearTimeout(timer);
  dueAt = performance.now() + ms;
  timer = setTimeout(look, ms);
}

/** Asks what there is left, and buys when that is little. */
async function look() {
  // What is due now is looked at once somebody looks at the page.
  if (document.hidden || savesData()) {
    return;
  }
  askIn(ASK_EVERY_MS);
  const left = timeLeft(await askWorth(location.href));
  if (left === undefined) {
    return;
  }
  const lead = Math.min(LEAD_MS_MAX, lifeMs / LEAD_PART);
  if (left > lead) {
    askIn(Math.min(ASK_EVERY_MS, left - lead));
  } else if (!document.hidden) {
    renew(left);
  }
}

/**
 * @param {{status: number, code?: string, needed?: boolean, credits?: number, expires_in?: number}} answer
 * @returns {number | undefined} milliseconds until it is spent at the pace of late, or out of date; nothing where that is unknown
 */
function timeLeft({ status, code, needed, credits, expires_in: expiresIn }) {
  if (needed === false) {
    // The gate is up. Should it fall, its first answer begins it all anew.
    clearTimeout(timer);
    dueAt = Infinity;
    return undefined;
  }
  // No clearance would help against what is denied.
  if (status === 401 && code !== 'denied') {
    return lifeMs ? 0 : LEAD_MS_MAX;
  }
  if (status !== 200 || credits === undefined || expiresIn === undefined) {
    return undefined;
  }
  const now = performance.now();
  const spent = creditsThen - credits;
  const lasts = spent > 0 ? (credits / spent) * (now - askedAt) : Infinity;
  askedAt = now;
  creditsThen = credits;
  lifeMs = Math.max(lifeMs, 1000 * expiresIn);
  return Math.min(1000 * expiresIn, lasts);
}

function savesData() {
  const { connection } = /** @type {{connection?: {saveData?: boolean}}} */ (/** @type {unknown} */ (navigator));
  return connection?.saveData || matchMedia('(prefers-reduced-data: reduce)').matches;
}
