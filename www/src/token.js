import { CHALLENGES_MAX, SUBMISSIONS_MAX, TICK_MS, pauseBusy } from './patience.js';
import { Pool } from './pool.js';
import { ask, readChallenge } from './protocol.js';
import { codeOf } from './purchase.js';

/** @import { Answer, Challenge, Place } from './protocol.js' */
/** @import { Progress } from './tabs.js' */

/**
 * What a token is for, and what it says: `action` of at most 32 characters, `cdata` of at most 255.
 *
 * @typedef {{key: string, action?: string, cdata?: string}} TokenWish
 */

/**
 * A token, and a reading of `performance.now()` until which it is good.
 *
 * @typedef {{token: string, until: number}} Token
 */

/** Another challenge would not help against these. */
const FINAL_CODES = ['malformed', 'wrong_site', 'unknown'];

/** Work for one token, which a form carries to its own back end. It is of use once, so each form does its own. */
export class TokenPurchase {
  #wish;
  /** @type {Place} */
  #place;
  #pool;
  #timer;
  /** @type {Challenge | undefined} */
  #challenge;
  #round = 0;
  /** Grows with every turn of the story, so that what was awaited in an earlier one is dropped. */
  #turn = 0;
  #algorithms = 'sha256,hashwx';
  /** @type {(token: Token) => void} */
  #resolve = () => {};
  /** @type {(code: string) => void} */
  #reject = () => {};
  /**
   * Fails with a code of PROTOCOL §4, or `network`, `no_progress`, `unknown`.
   *
   * @type {Promise<Token>}
   */
  result = new Promise((resolve, reject) => ([this.#resolve, this.#reject] = [resolve, reject]));

  /**
   * @param {string} base beside which URL the endpoints are
   * @param {TokenWish} wish
   * @param {(progress: Progress) => void} progressed
   */
  constructor(base, wish, progressed) {
    this.#wish = wish;
    this.#place = { base, target: '/' };
    this.#pool = new Pool({
      ready: () => progressed(this.#pool.progress()),
      progressed: () => progressed(this.#pool.progress()),
      solved: (solution) => this.#submit(solution),
      stuck: () => this.#fail('no_progress'),
      assetMissing: () => this.#fail('unknown'),
      refused: () => this.#doWithout(),
      open: new URL(base).origin === location.origin ? undefined : openFromElsewhere,
    });
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
    this.#renew();
  }

  /** What was asked for is no longer wanted: there will be neither token nor failure. */
  stop() {
    this.#turn++;
    clearInterval(this.#timer);
    this.#pool.stop();
  }

  async #renew() {
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
    if (!answer.challenge || ++this.#round > CHALLENGES_MAX) {
      this.#fail(codeOf(answer));
      return;
    }
    this.#turn++;
    this.#challenge = readChallenge(answer.challenge, answer.expires_in, performance.now());
    this.#pool.start(this.#challenge, !document.hidden);
  }

  #doWithout() {
    this.#algorithms = 'sha256';
    this.#renew();
  }

  /** @param {string} solution */
  async #submit(solution) {
    const turn = ++this.#turn;
    const { key: _key, ...texts } = this.#wish;
    const body = JSON.stringify({ challenge: this.#challenge?.text, solution, ...texts });
    const headers = { 'Content-Type': 'application/json' };
    let code = '';
    for (let attempt = 1; attempt <= SUBMISSIONS_MAX; attempt++) {
      const sentAt = performance.now();
      const answer = await ask('verify', this.#place, { method: 'POST', headers, body, credentials: 'omit' });
      if (turn !== this.#turn) {
        return;
      }
      if (answer.ok && answer.token) {
        this.stop();
        this.#resolve({ token: answer.token, until: sentAt + 1000 * (answer.expires_in ?? 0) });
        return;
      }
      code = codeOf(answer);
      if (code !== 'busy' && code !== 'network') {
        this.#refused(code, answer);
        return;
      }
      await pauseBusy(answer.retryAfter);
      if (turn !== this.#turn) {
        return;
      }
    }
    this.#fail(code);
  }

  /**
   * @param {string} code
   * @param {Answer} answer
   */
  #refused(code, answer) {
    if (FINAL_CODES.includes(code)) {
      this.#fail(code);
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
    if (this.#pool.running) {
      this.#pool.resize(!document.hidden);
      this.#pool.tick();
    }
    if (this.#pool.running && performance.now() > (this.#challenge?.deadline ?? 0)) {
      this.#renew();
    }
  }

  /** @param {string} code */
  #fail(code) {
    this.stop();
    this.#reject(code);
  }
}

/**
 * A page of another origin may run no worker of ours but through a script of its own.
 *
 * @param {string} url
 */
function openFromElsewhere(url) {
  const own = URL.createObjectURL(new Blob([`import ${JSON.stringify(url)};`], { type: 'text/javascript' }));
  return new Worker(own, { type: 'module' });
}
