/** The admin token, and requests that carry it. */

/** How long what is saved stays where the browser gets it from, in milliseconds. */
const SAVING_MS_MAX = 60000;

/** Where the token is until the tab is closed. */
const TOKEN_KEY = 'portcullis-token';
/** An answer that takes longer than this counts as none. */
const REQUEST_MS_MAX = 15000;

/** Takes the token out of a link's fragment, which no request carries, and out of the address. */
export function takeToken() {
  const token = /^#token=([\x21-\x7e]{16,400})$/.exec(location.hash)?.[1];
  if (token) {
    keepToken(decodeURIComponent(token));
    history.replaceState(null, '', location.pathname);
  }
}

/** @returns {string} the token, empty where it is not known */
export function token() {
  return sessionStorage.getItem(TOKEN_KEY) ?? '';
}

/** @param {string} value */
export function keepToken(value) {
  if (value) {
    sessionStorage.setItem(TOKEN_KEY, value);
  } else {
    sessionStorage.removeItem(TOKEN_KEY);
  }
}

/** @returns {Record<string, string>} */
export function authorization() {
  const known = token();
  return known ? { Authorization: `Bearer ${known}` } : {};
}

/**
 * What the verifier answers.
 *
 * @typedef {object} Answered
 * @property {boolean} ok
 * @property {number} status 0 where nothing answered
 * @property {any} body
 */

/**
 * Asks the verifier; with a body, for a change.
 *
 * @param {string} path
 * @param {object} [body]
 * @returns {Promise<Answered>}
 */
export async function ask(path, body) {
  const write = { method: 'POST', body: JSON.stringify(body), headers: { 'Content-Type': 'application/json', ...authorization() } };
  try {
    const response = await fetch(path, {
      cache: 'no-store',
      signal: AbortSignal.timeout(REQUEST_MS_MAX),
      ...(body ? write : { headers: authorization() }),
    });
    return { ok: response.ok, status: response.status, body: await response.json() };
  } catch {
    return { ok: false, status: 0, body: { error: 'the verifier does not answer' } };
  }
}

/**
 * Saves what the verifier answers as a file of this name.
 *
 * @param {string} path
 * @param {string} name
 * @returns {Promise<{status: number, error: string}>} 200, or why nothing is saved; 0 where nothing answered
 */
export async function save(path, name) {
  try {
    const response = await fetch(path, { cache: 'no-store', signal: AbortSignal.timeout(REQUEST_MS_MAX), headers: authorization() });
    if (!response.ok) {
      return { status: response.status, error: (await response.json()).error };
    }
    const link = document.createElement('a');
    link.href = URL.createObjectURL(await response.blob());
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), SAVING_MS_MAX);
    return { status: response.status, error: '' };
  } catch {
    return { status: 0, error: 'the verifier does not answer' };
  }
}
