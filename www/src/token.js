import { openFramed } from './framed.js';
import { CHALLENGES_MAX, SUBMISSIONS_MAX, TICK_MS, pauseBusy } from './patience.js';
import { Pool } from './pool.js';
import { ask, readChallenge, reportFailure } from './protocol.js';
import { codeOf } from './purchase.js';

/** @import { Answer, Challenge, Place } from './protocol.js' */
/** @import { Progress } from './tabs.js' */

/**
 * What a token is for, and what it says: `action` of at most 32 characters, `cdata` of at most 255.
 *
 * @typedef {{key: string, action?: string, cdata?: string}} TokenWish
 */

/**
 * A token, and the milliseconds in which it is still good.
 *
 * @typedef {{token: string, left: () => number}} Token
 */

/** Another challenge would not help against these. */
const FINAL_CODES = ['malformed', 'wrong_site', 'unknown'];

/** When the one before it has come to its end: of all widgets of a page one works at a time. */
let last = Promise.resolve();

/** Work for one token, which a form carries to its own back end. It is of use once, so each form does its own. */
export class TokenPurchase {
  #wish;
  /** @type {Place} */
  #place;
  #pool;
  #timer;
  /** @type {Challenge | undefined} */
  #challenge;
  /** Challenges used. */
  #round = 0;
  /** Grows with every turn of the story, so that what was awaited in an earlier one is dropped. */
  #turn = 0;
  #stopped = false;
  #algorithms = 'sha256,hashwx';
  /** @type {(token: Token) => void} */
  #resolve = () => {};
  /** @type {(code: string) => void} */
  #reject = () => {};
  /** @type {() => void} */
  #release = () => {};
  /**
   * Fails with a code of PROTOCOL §4, or `network`, `no_progress`, `unknown`.
   *
   * @type {Promise<Token>}
   */
  result = new Promise((resolve, reject) => ([this.#resolve, this.#reject] = [resolve, reject]));
  /**
   * Once it has failed: the number under which the people who run the site find it.
   *
   * @type {Promise<string | undefined>}
   */
  failureId = Promise.resolve(undefined);

  /**
   * @param {string} base beside which URL the endpoints are
   * @param {TokenWish} wish
   * @param {(progress: Progress) => void} progressed
   */
  constructor(base, wish, progressed) {
    this.#wish = wish;
    this.#place = { base, target: '/' };
    const told = () => progressed(this.#pool.progress());
    this.#pool = new Pool({
      ready: told,
      progressed: told,
      solved: (solution) => this.#submit(solution),
      stuck: () => this.#fail('no_progress'),
      assetMissing: () => this.#fail('unknown'),
      refused: () => this.#doWithout(),
      // No page may run a worker of another origin.
      open: isOwn(import.meta.url) ? undefined : (url) => openFramed(base, wish.key, url),
    });
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
    const before = last;
    last = new Promise((resolve) => (this.#release = resolve));
    before.then(() => this.#renew());
  }

  /** What was asked for is no longer wanted: there will be neither token nor failure. */
  stop() {
    this.#stopped = true;
    this.#turn++;
    clearInterval(this.#timer);
    this.#pool.stop();
    this.#release();
  }

  async #renew() {
    if (this.#stopped) {
      return;
    }
    this.#pool.stop();
    const turn = ++this.#turn;
    const parameters = { purpose: 'form', key: this.#wish.key, algorithms: this.#algorithms };
    const answer = await ask('challenge', this.#place, { credentials: 'omit' }, parameters);
    if (turn === this.#turn) {
      this.#follow(answer);
    }
  }

  /** @param {Answer} answer */
  #follow(answer) {
    if (!answer.challenge) {
      this.#fail(codeOf(answer), answer.failure_id);
      return;
    }
    if (++this.#round > CHALLENGES_MAX) {
      this.#fail('expired', answer.failure_id);
      return;
    }
    this.#turn++;
    try {
      this.#challenge = readChallenge(answer.challenge, answer.expires_in, performance.now());
    } catch {
      this.#fail('unknown');
      return;
    }
    this.#pool.start(this.#challenge, !document.hidden);
  }

  /** Where `hashwx` does not run, the other algorithm does. */
  #doWithout() {
    this.#algorithms = 'sha256';
    this.#renew();
  }

  /** @param {string} solution */
  async #submit(solution) {
    const turn = ++this.#turn;
    const { action, cdata } = this.#wish;
    const body = JSON.stringify({ challenge: this.#challenge?.text, solution, action, cdata });
    const headers = { 'Content-Type': 'application/json' };
    let code = '';
    /** @type {string | undefined} */
    let failureId;
    for (let attempt = 1; attempt <= SUBMISSIONS_MAX; attempt++) {
      // The one stands still while the machine sleeps, the other somebody may set.
      const [sentAt, sentOn] = [performance.now(), Date.now()];
      const answer = await ask('verify', this.#place, { method: 'POST', headers, body, credentials: 'omit' });
      if (turn !== this.#turn) {
        return;
      }
      if (answer.ok && answer.token) {
        this.stop();
        const life = 1000 * (answer.expires_in ?? 0);
        const left = () => life - Math.max(performance.now() - sentAt, Date.now() - sentOn);
        this.#resolve({ token: answer.token, left });
        return;
      }
      code = codeOf(answer);
      failureId = answer.failure_id;
      if (code !== 'busy' && code !== 'network') {
        this.#refused(code, answer);
        return;
      }
      await pauseBusy(answer.retryAfter);
      if (turn !== this.#turn) {
        return;
      }
    }
    this.#fail(code, failureId);
  }

  /**
   * @param {string} code
   * @param {Answer} answer
   */
  #refused(code, answer) {
    if (FINAL_CODES.includes(code)) {
      this.#fail(code, answer.failure_id);
    } else if (code === 'unsolved' && this.#challenge?.hashwx) {
      this.#doWithout();
    } else {
      if (code === 'unsolved') {
        this.#pool.distrust();
      }
      this.#follow(answer);
    }
  }

  #tick() {
    if (!this.#pool.running) {
      return;
    }
    this.#pool.resize(!document.hidden);
    this.#pool.tick();
    if (this.#pool.running && performance.now() > (this.#challenge?.deadline ?? 0)) {
      this.#renew();
    }
  }

  /**
   * @param {string} code
   * @param {string} [failureId] the number that the site told
   */
  #fail(code, failureId) {
    this.stop();
    this.failureId = failureId ? Promise.resolve(failureId) : reportFailure(code, this.#place, this.#wish.key);
    this.#reject(code);
  }
}

/** @param {string} url */
function isOwn(url) {
  return new URL(url).origin === location.origin;
}
