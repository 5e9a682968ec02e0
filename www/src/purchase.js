import { CHALLENGES_MAX, SUBMISSIONS_MAX, pauseBusy } from './patience.js';
import { Pool } from './pool.js';
import { askClearance, readChallenge, requestChallenge, sendSolution } from './protocol.js';
import { Tabs } from './tabs.js';

/** @import { Answer, Challenge, Place } from './protocol.js' */
/** @import { Progress } from './tabs.js' */

/**
 * What becomes of a purchase. Whoever buys hears what he asks for.
 *
 * @typedef {object} PurchaseEvents
 * @property {() => void} [starting]
 * @property {(lane: 'hashwx' | 'simd' | 'scalar' | 'javascript') => void} [solving]
 * @property {(progress: Progress) => void} progressed also once a second
 * @property {() => void} [waiting] another tab solves
 * @property {(progress: Progress) => void} followed the tab that solves
 * @property {() => void} [verifying]
 * @property {(code: 'busy' | 'network') => void} [delayed] the solution is sent again in a while
 * @property {(bought: boolean) => void} opened the site would answer, by what was bought here or otherwise
 * @property {(code: string, failureId?: string) => void} failed with the number that the site told
 * @property {() => void} [paused] until somebody looks
 * @property {() => void} outdated an asset is gone from the server
 */

/** Another challenge would not help against these. */
const FINAL = ['malformed', 'cross_site', 'cookies'];

/** One clearance: solve, or wait for the tab that solves, until the site would answer. */
export class Purchase {
  #events;
  #place;
  #pool;
  #tabs;
  /** @type {Challenge | undefined} */
  #challenge;
  /** Challenges used in a row. */
  #round = 0;
  /** Grows with every turn of the story, so that what was awaited in an earlier one is dropped. */
  #turn = 0;
  /** Begun, and neither at its end nor given up. */
  #going = false;
  #paused = false;
  /** What this browser can do. */
  #algorithms = 'sha256,hashwx';

  /**
   * @param {PurchaseEvents} events
   * @param {Place} [place] what is wanted, and where its endpoints are; by default this page's own
   */
  constructor(events, place) {
    this.#events = events;
    this.#place = place;
    this.#pool = new Pool({
      ready: (lane) => {
        events.solving?.(lane);
        this.#progressed();
      },
      progressed: () => this.#progressed(),
      solved: (solution) => this.#submit(solution),
      stuck: () => this.#fail('no_progress'),
      assetMissing: events.outdated,
      refused: () => this.#doWithout(),
    });
    this.#tabs = new Tabs(
      {
        yielded: () => {
          if (this.#pool.running) {
            // Its challenge was not used.
            this.#round--;
          }
          this.#newTurn();
          events.waiting?.();
        },
        progressed: events.followed,
        orphaned: (failure) => (failure === 'cookies' ? this.#fail(failure) : this.#compete()),
        opened: () => this.#othersOpened(),
      },
      place?.base,
    );
  }

  /** Begins, or begins again; with what `adopt` was given, as long as it is good. */
  begin() {
    this.#round = 0;
    this.#compete();
  }

  /**
   * @param {{challenge?: string, expires_in?: number}} answer
   * @param {number} receivedAt a reading of `performance.now()`
   * @returns {boolean} whether there was a challenge in it
   */
  adopt({ challenge, expires_in: expiresIn }, receivedAt) {
    try {
      this.#challenge = challenge ? readChallenge(challenge, expiresIn, receivedAt) : undefined;
    } catch {
      this.#challenge = undefined;
    }
    return this.#challenge !== undefined;
  }

  /**
   * From now on with little: one solver that mostly rests; or with everything, once somebody waits.
   *
   * @param {boolean} gentle
   */
  pace(gentle) {
    this.#pool.pace(gentle);
    this.#resize();
  }

  /** @returns {number} a reading of `performance.now()`: so long the challenge is good */
  get deadline() {
    return this.#challenge?.deadline ?? 0;
  }

  /** Once a second. */
  tick() {
    if (this.#tabs.watched) {
      this.#pool.pace(false);
    }
    this.#tabs.tick(this.#pool.gentle);
    this.#resize();
    this.#pool.tick();
    if (this.#pool.running && this.#expired()) {
      this.#outlived();
    } else {
      this.#progressed();
    }
  }

  /** The visitor looks at this tab again, or away from it; or it comes back from the back/forward cache. */
  async look() {
    this.#resize();
    const turn = this.#turn;
    const rested = () => turn === this.#turn && (this.#paused || (this.#pool.running && this.#expired()));
    if (!document.hidden && !(await this.check()) && rested()) {
      this.begin();
    }
  }

  /** @returns {Promise<boolean>} whether the site would answer by now */
  async check() {
    const turn = this.#turn;
    const open = (await askClearance(this.#place)) === 'open' && turn === this.#turn;
    if (open) {
      this.#end();
      this.#events.opened(false);
    }
    return open;
  }

  /** Until somebody looks: the page is left, perhaps for the back/forward cache. */
  rest() {
    this.#newTurn();
    this.#paused = this.#going;
    this.#tabs.leave();
    this.#tabs.close();
  }

  /** Gives up. */
  stop() {
    this.#going = false;
    this.rest();
  }

  /** Begins to solve at once, but not for ever; a tab that was first makes this one wait. */
  #compete() {
    if (this.#round >= CHALLENGES_MAX) {
      this.#fail('expired');
      return;
    }
    this.#newTurn();
    this.#going = true;
    this.#events.starting?.();
    if (this.#expired()) {
      this.#renew();
      return;
    }
    this.#round++;
    this.#pool.start(/** @type {Challenge} */ (this.#challenge), this.#attended());
    this.#tabs.claim(this.#pool.progress());
  }

  async #renew() {
    const turn = this.#newTurn();
    const answer = await requestChallenge(this.#algorithms, this.#place);
    if (turn !== this.#turn) {
      return;
    }
    if (this.adopt(answer, performance.now())) {
      this.#compete();
    } else if (answer.needed === false) {
      this.#end();
      this.#events.opened(false);
    } else {
      this.#fail(codeOf(answer), answer.failure_id);
    }
  }

  /** Where `hashwx` does not run, the other algorithm does. */
  #doWithout() {
    if (this.#round >= CHALLENGES_MAX) {
      this.#fail('no_progress');
      return;
    }
    this.#algorithms = 'sha256';
    this.#renew();
  }

  #progressed() {
    const progress = this.#pool.progress();
    if (this.#pool.running) {
      this.#events.progressed(progress);
    }
    this.#tabs.pulse(progress);
  }

  async #othersOpened() {
    const turn = this.#turn;
    const open = await this.check();
    // What the other tab has bought is not enough for this address: this one buys for itself.
    if (!open && turn === this.#turn && this.#tabs.following) {
      this.#compete();
    }
  }

  /**
   * Until the site would answer, or says why not. The same solution may be sent again: it buys the same clearance.
   *
   * @param {string} solution
   */
  async #submit(solution) {
    const turn = this.#newTurn();
    const { text = '' } = this.#challenge ?? {};
    this.#events.verifying?.();
    /** @type {number | undefined} */
    let bought;
    let code = '';
    /** @type {string | undefined} */
    let failureId;
    for (let attempt = 1; attempt <= SUBMISSIONS_MAX; attempt++) {
      const answer = await sendSolution(text, solution, this.#place);
      const access = await askClearance(this.#place);
      if (turn !== this.#turn) {
        return;
      }
      if (access === 'open') {
        this.#end();
        this.#events.opened(answer.ok === true);
        return;
      }
      code = answer.ok ? 'network' : codeOf(answer);
      failureId = answer.failure_id;
      if (answer.ok && access === 'closed') {
        const { credits = 0 } = answer;
        if (bought === undefined) {
          // Either the cookie was not kept, or another tab has spent what it stands for: now there would be less of it.
          bought = credits;
          continue;
        }
        code = credits === bought ? 'cookies' : 'used';
      }
      if (code !== 'busy' && code !== 'network') {
        this.#refused(code, answer);
        return;
      }
      this.#events.delayed?.(code);
      await pauseBusy(answer.retryAfter);
      if (turn !== this.#turn) {
        return;
      }
    }
    this.#fail(code, failureId);
  }

  /**
   * A refusal brings a fresh challenge: it goes on with that, but not for ever.
   *
   * @param {string} code
   * @param {Answer} answer
   */
  #refused(code, answer) {
    if (FINAL.includes(code) || this.#round >= CHALLENGES_MAX) {
      this.#fail(code, answer.failure_id);
      return;
    }
    if (code === 'unsolved' && this.#challenge?.hashwx) {
      this.#doWithout();
      return;
    }
    if (code === 'unsolved') {
      this.#pool.distrust();
    }
    this.adopt(answer, performance.now());
    this.#compete();
  }

  /** The challenge ran out while it was being solved. */
  #outlived() {
    if (!this.#attended()) {
      this.rest();
      this.#events.paused?.();
    } else {
      this.#compete();
    }
  }

  /**
   * @param {string} code
   * @param {string} [failureId]
   */
  #fail(code, failureId) {
    this.#newTurn();
    this.#going = false;
    this.#challenge = undefined;
    this.#tabs.leave('gone', code);
    this.#events.failed(code, failureId);
  }

  #end() {
    this.#newTurn();
    this.#going = false;
    this.#tabs.leave('done');
  }

  /** @returns {number} the turn that begins */
  #newTurn() {
    this.#pool.stop();
    this.#paused = false;
    return ++this.#turn;
  }

  #resize() {
    if (this.#pool.running) {
      this.#pool.resize(this.#attended());
    }
  }

  #expired() {
    return performance.now() > this.deadline;
  }

  /** Somebody looks at this tab, or at one that waits for it. */
  #attended() {
    return !document.hidden || this.#tabs.watched;
  }
}

/**
 * @param {Answer} answer
 * @returns {string} a code of PROTOCOL §4, or `network`, `unknown`
 */
export function codeOf({ status, code }) {
  if (status === 0) {
    return 'network';
  }
  return code ?? (status === 429 || status >= 500 ? 'busy' : 'unknown');
}
