/** Numbers as people read them. */

/** What the slowest supported phone tries in a second (DESIGN: 1 MH/s). */
const PHONE_ATTEMPTS_PER_SECOND = 1e6;

/**
 * A number with two or three digits that matter; a dash where it is not known.
 *
 * @param {number | null | undefined} number
 * @returns {string}
 */
export function short(number) {
  if (number === null || number === undefined || Number.isNaN(number)) {
    return '–';
  }
  const size = Math.abs(number);
  for (const [least, unit] of /** @type {[number, string][]} */ ([[1e9, ' G'], [1e6, ' M'], [1e4, ' k']])) {
    if (size >= least) {
      const divided = number / (least === 1e4 ? 1e3 : least);
      return `${divided.toFixed(divided < 100 ? 1 : 0)}${unit}`;
    }
  }
  return size >= 100 || Number.isInteger(number) ? number.toFixed(0) : number.toFixed(size >= 10 ? 1 : 2);
}

/**
 * @param {number | null | undefined} seconds
 * @returns {string}
 */
export function time(seconds) {
  if (seconds === null || seconds === undefined || Number.isNaN(seconds)) {
    return '–';
  }
  if (seconds < 1) {
    return `${Math.round(seconds * 1000)} ms`;
  }
  if (seconds < 120) {
    return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
  }
  const minutes = Math.round(seconds / 60);
  return minutes < 120 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/**
 * A whole number with its thousands apart.
 *
 * @param {number} count
 * @returns {string}
 */
export function counted(count) {
  return count.toLocaleString('en');
}

/**
 * A time to the second, in two units.
 *
 * @param {number} seconds
 * @returns {string}
 */
export function span(seconds) {
  if (seconds < 60) {
    return `${seconds} s`;
  }
  const [larger, smaller, names] = seconds < 3600 ? [60, 1, ['min', 's']] : [3600, 60, ['h', 'min']];
  return `${Math.floor(seconds / larger)} ${names[0]} ${Math.floor((seconds % larger) / smaller)} ${names[1]}`;
}

/**
 * `2026-11-25 02:11:03 UTC`.
 *
 * @param {number} at in unix seconds
 * @returns {string}
 */
export function utc(at) {
  return `${stamp(at)} UTC`;
}

/**
 * `2026-11-25 03:11:03 +01:00`: as the clock beside the screen shows it.
 *
 * @param {number} at in unix seconds
 * @returns {string}
 */
export function inZone(at) {
  const minutes = -new Date(at * 1000).getTimezoneOffset();
  const two = (/** @type {number} */ part) => String(part).padStart(2, '0');
  const offset = `${two(Math.floor(Math.abs(minutes) / 60))}:${two(Math.abs(minutes) % 60)}`;
  return `${stamp(at + minutes * 60)} ${minutes < 0 ? '-' : '+'}${offset}`;
}

/**
 * @param {number} at
 * @returns {string}
 */
function stamp(at) {
  return new Date(at * 1000).toISOString().slice(0, 19).replace('T', ' ');
}

/**
 * @param {number} bytes
 * @returns {string}
 */
export function size(bytes) {
  return `${(bytes / 1048576).toFixed(bytes < 1e8 ? 1 : 0)} MiB`;
}

/**
 * What a price means to a visitor: the mean work of the slowest phone, up to the most that one challenge asks.
 *
 * @param {number} price
 * @param {number} ceiling
 * @returns {string}
 */
export function onPhone(price, ceiling) {
  const seconds = time(Math.min(price, ceiling) / PHONE_ATTEMPTS_PER_SECOND);
  return price === 0 ? 'nothing is asked' : `about ${seconds} on the slowest phone`;
}
