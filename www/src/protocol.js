import { decodeBase64url } from './base64url.js';

/**
 * A challenge as the page keeps it. `deadline` is a reading of `performance.now()` in milliseconds: the clock on the
 * visitor's wall may be wrong by a day.
 *
 * @typedef {{text: string, words: Uint32Array, hashwx: boolean, count: number, difficulty: number, deadline: number}} Challenge
 */

/**
 * What an endpoint said, problem or not (PROTOCOL §4). `status` is 0 when nothing was heard from it.
 *
 * @typedef {{status: number, retryAfter: number, ok?: boolean, needed?: boolean, credits?: number, code?: string,
 *   challenge?: string, expires_in?: number, failure_id?: string, token?: string}} Answer
 */

/**
 * Beside which URL the endpoints of the site are, the path with its query that is wanted, and by which method: without them this
 * page's own, and GET.
 *
 * @typedef {{base?: string, target?: string, method?: string}} Place
 */

/** A request that hangs longer than this counts as not heard. */
const REQUEST_MS_MAX = 15000;

/**
 * @param {string} text the 64 bytes in base64url
 * @param {number | undefined} expiresIn seconds; by default all of its life
 * @param {number} receivedAt a reading of `performance.now()`
 * @returns {Challenge}
 */
export function readChallenge(text, expiresIn, receivedAt) {
  const view = new DataView(decodeBase64url(text).buffer);
  const words = Uint32Array.from({ length: 16 }, (_, index) => view.getUint32(4 * index));
  const [algorithm, count] = [view.getUint8(1), view.getUint8(3)];
  const deadline = receivedAt + 1000 * (expiresIn ?? view.getUint16(12));
  return { text, words, hashwx: algorithm === 2, count, difficulty: words[1], deadline };
}

/**
 * Whether the address that is wanted would be answered now: `unknown` when nobody could say.
 *
 * @param {Place} [place]
 * @returns {Promise<'open' | 'closed' | 'unknown'>}
 */
export async function askClearance(place) {
  const { status, code, credits, needed } = await ask('clearance', place, {}, { method: place?.method ?? 'GET' });
  if (status === 401) {
    // What is denied is answered by a page that says so.
    return code === 'denied' ? 'open' : 'closed';
  }
  // A service worker or a hotel's login page may answer 200 too, but not with these fields.
  return status === 200 && (credits !== undefined || needed === false) ? 'open' : 'unknown';
}

/**
 * Tells the site that this page has failed.
 *
 * @param {string} code why
 * @param {Place} [place] by default this page's own
 * @param {string} [key] of the form for which it has failed: such a page may be of another origin
 * @returns {Promise<string | undefined>} the number under which the people who run the site find it
 */
export async function reportFailure(code, place, key) {
  const parameters = { failed: code, ...(key && { key }) };
  const { failure_id: id } = await ask('clearance', place, key ? { credentials: 'omit' } : {}, parameters);
  return id;
}

/**
 * @param {string} algorithms what this browser can do
 * @param {Place} [place]
 * @returns {Promise<Answer>}
 */
export function requestChallenge(algorithms, place) {
  return ask('challenge', place, {}, { algorithms });
}

/**
 * @param {string} challenge
 * @param {string} solution
 * @param {Place} [place]
 * @returns {Promise<Answer>}
 */
export function sendSolution(challenge, solution, place) {
  return ask('verify', place, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ challenge, solution }),
  });
}

/**
 * @param {string} endpoint
 * @param {Place} [place] by default this page's own
 * @param {RequestInit} [init]
 * @param {Record<string, string>} [parameters] besides the target
 * @returns {Promise<Answer>}
 */
export async function ask(endpoint, place, init, parameters) {
  const url = new URL(endpoint, place?.base ?? import.meta.url);
  const target = place?.target ?? location.pathname + location.search;
  // A service worker of the site may keep what it hears: no answer to another question is one to this.
  url.search = String(new URLSearchParams({ for: target, once: `${Math.random()}`, ...parameters }));
  try {
    const response = await fetch(url, {
      cache: 'no-store',
      // The clearance of another host of this site is that host's cookie.
      credentials: 'include',
      signal: AbortSignal.timeout?.(REQUEST_MS_MAX),
      ...init,
    });
    const body = await response.json().catch(() => ({}));
    return { ...body, status: response.status, retryAfter: Number(response.headers.get('Retry-After')) || 0 };
  } catch {
    return { status: 0, retryAfter: 0 };
  }
}
