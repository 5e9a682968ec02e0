import { Note } from './note.js';
import { CHALLENGES_MAX, SUBMISSIONS_MAX, TICK_MS, pauseBusy } from './patience.js';
import { Pool } from './pool.js';
import { readChallenge, requestChallenge, sendSolution } from './protocol.js';
import { Tabs } from './tabs.js';
import { startWorker } from './worker.js';

/** @import { Answer, Challenge, Place } from './protocol.js' */

/**
 * Bought by this page; bought by another, in another tab or before; or not at all.
 *
 * @typedef {'bought' | 'others' | 'failed'} Outcome
 */

const LIFETIME_OFFSET_WORD = 3;

// One file is both: a page loads it once.
if (typeof document === 'undefined') {
  startWorker();
}

/**
 * @param {Place} place what is wanted, and where its endpoints are
 * @param {string} challenge as the gate's answer brought it
 * @param {boolean} told whether a note says what happens when it takes longer
 * @returns {Promise<Outcome>}
 */
export function buy(place, challenge, told) {
  return new Promise((resolve) => new Purchase(place, told ? new Note() : undefined, resolve).start(challenge));
}

/** One clearance for a page that stays: solve, or wait for the tab that solves. */
class Purchase {
  #place;
  #note;
  #resolve;
  #pool;
  #tabs;
  #timer;
  /** @type {Challenge | undefined} */
  #challenge;
  #round = 0;
  /** Grows with every turn of the story, so that what was awaited in an earlier one is dropped. */
  #turn = 0;
  #algorithms = 'sha256,hashwx';

  /**
   * @param {Place} place
   * @param {Note | undefined} note
   * @param {(outcome: Outcome) => void} resolve
   */
  constructor(place, note, resolve) {
    this.#place = place;
    this.#note = note;
    this.#resolve = resolve;
    this.#pool = new Pool({
      ready: () => this.#progressed(),
      progressed: () => this.#progressed(),
      solved: (solution) => this.#submit(solution),
      stuck: () => this.#end('failed'),
      assetMissing: () => this.#end('failed'),
      refused: () => {
        // Where `hashwx` does not run, the other algorithm does.
        this.#algorithms = 'sha256';
        this.#renew();
      },
    });
    this.#tabs = new Tabs({
      yielded: () => {
        this.#turn++;
        this.#pool.stop();
      },
      progressed: (progress) => this.#note?.progress(progress),
      orphaned: () => this.#renew(),
      opened: () => this.#end('others'),
    });
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
  }

  /** @param {string} text */
  start(text) {
    try {
      // The answer is as fresh as its challenge: that counts for all of its life.
      const { words } = readChallenge(text, 0, 0);
      this.#begin(text, words[LIFETIME_OFFSET_WORD] >>> 16);
    } catch {
      this.#end('failed');
    }
  }

  /**
   * @param {string} text
   * @param {number} expiresIn seconds
   */
  #begin(text, expiresIn) {
    if (++this.#round > CHALLENGES_MAX) {
      this.#end('failed');
      return;
    }
    this.#turn++;
    this.#challenge = readChallenge(text, expiresIn, performance.now());
    this.#pool.start(this.#challenge, this.#attended());
    // The tabs of this origin talk of its own clearance only.
    if (new URL(this.#place.base).origin === location.origin) {
      this.#tabs.claim(this.#pool.progress());
    }
  }

  async #renew() {
    this.#pool.stop();
    const turn = ++this.#turn;
    const answer = await requestChallenge(this.#algorithms, this.#place);
    if (turn === this.#turn) {
      this.#follow(answer);
    }
  }

  /** @param {Answer} answer */
  #follow({ challenge, expires_in: expiresIn = 0, needed }) {
    if (challenge) {
      this.#begin(challenge, expiresIn);
    } else {
      this.#end(needed === false ? 'others' : 'failed');
    }
  }

  /** @param {string} solution */
  async #submit(solution) {
    const turn = ++this.#turn;
    const { text = '' } = this.#challenge ?? {};
    for (let attempt = 1; attempt <= SUBMISSIONS_MAX; attempt++) {
      const answer = await sendSolution(text, solution, this.#place);
      if (turn !== this.#turn) {
        return;
      }
      if (answer.ok) {
        this.#end('bought');
        return;
      }
      if (answer.status !== 0 && answer.code !== 'busy') {
        this.#refused(answer);
        return;
      }
      await pauseBusy(answer.retryAfter);
      if (turn !== this.#turn) {
        return;
      }
    }
    this.#end('failed');
  }

  /** @param {Answer} answer a refusal, which brings a fresh challenge */
  #refused(answer) {
    if (answer.code === 'unsolved') {
      if (this.#challenge?.hashwx) {
        this.#algorithms = 'sha256';
        this.#renew();
        return;
      }
      this.#pool.distrust();
    }
    if (/^(malformed|cross_site)$/.test(answer.code ?? '')) {
      this.#end('failed');
    } else {
      this.#follow(answer);
    }
  }

  #progressed() {
    const progress = this.#pool.progress();
    this.#note?.progress(progress);
    this.#tabs.pulse(progress);
  }

  #tick() {
    this.#tabs.tick();
    if (this.#pool.running) {
      this.#pool.resize(this.#attended());
      this.#pool.tick();
      if (performance.now() > (this.#challenge?.deadline ?? 0)) {
        this.#renew();
      }
    } else {
      this.#tabs.pulse(this.#pool.progress());
    }
  }

  /** @param {Outcome} outcome */
  #end(outcome) {
    this.#turn++;
    clearInterval(this.#timer);
    this.#pool.stop();
    this.#tabs.leave(outcome === 'failed' ? 'gone' : 'done');
    this.#tabs.close();
    this.#note?.remove();
    this.#resolve(outcome);
  }

  /** Somebody looks at this tab, or at one that waits for it. */
  #attended() {
    return !document.hidden || this.#tabs.watched;
  }
}
