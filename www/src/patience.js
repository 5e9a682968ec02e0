/** Challenges in a row. */
export const CHALLENGES_MAX = 3;
/** How often the same solution is sent while the site is too busy or out of reach. */
export const SUBMISSIONS_MAX = 8;
export const TICK_MS = 1000;
const BUSY_SECONDS = 5;
const BUSY_SECONDS_MAX = 60;

/**
 * As long as a site asks for that is busy.
 *
 * @param {number} retryAfter seconds; 0 where it does not say
 */
export function pauseBusy(retryAfter) {
  const seconds = Math.min(retryAfter || BUSY_SECONDS, BUSY_SECONDS_MAX);
  return new Promise((resolve) => setTimeout(resolve, 1000 * seconds));
}
