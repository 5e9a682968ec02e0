import { askClearance, readChallenge, reportFailure, requestChallenge, sendSolution } from './protocol.js';
import { CHALLENGES_MAX, SUBMISSIONS_MAX, TICK_MS, pauseBusy } from './patience.js';
import { Pool } from './pool.js';
import { Tabs } from './tabs.js';
import { failureText, needAllWords, say, sayTimeLeft } from './texts.js';
import { View } from './view.js';

/** @import { Answer, Challenge } from './protocol.js' */
/** @import { Progress } from './tabs.js' */

const ASK_EVERY_TICKS = 5;
/** Once a page has given up it asks less often. */
const ASK_EVERY_TICKS_FAILED = 30;

/** Another challenge would not help against these. */
const FINAL = ['malformed', 'cross_site', 'cookies'];

/** The page's side of this script. */
export function startPage() {
  new Visit(document.body.dataset).start();
}

/** One visit: solve, or wait for the tab that solves, and leave once the site would answer. */
class Visit {
  #view;
  #pool;
  #tabs;
  #data;
  /** The page answers a GET: it can be fetched again. */
  #repeatable;
  /** @type {Challenge | undefined} */
  #challenge;
  /** Challenges used in a row. */
  #round = 0;
  /** Grows with every turn of the story, so that what was awaited in an earlier one is dropped. */
  #turn = 0;
  #ticks = 0;
  #paused = false;
  /** What this browser can do. */
  #algorithms = 'sha256,hashwx';

  /** @param {DOMStringMap} data */
  constructor(data) {
    this.#data = data;
    this.#repeatable = /^(get|head)$/i.test(data.method || 'get');
    this.#view = new View(data.requestId ?? '', () => this.#press());
    this.#pool = new Pool({
      ready: (lane) => this.#solving(lane),
      progressed: () => this.#progressed(),
      solved: (solution) => this.#submit(solution),
      stuck: () => this.#fail('no_progress'),
      assetMissing: () => this.#reloadOnce(),
      refused: () => this.#doWithout(),
    });
    this.#tabs = new Tabs({
      yielded: () => this.#wait(),
      progressed: (progress) => this.#follow(progress),
      orphaned: (failure) => (failure === 'cookies' ? this.#fail(failure) : this.#begin()),
      opened: () => this.#othersOpened(),
    });
  }

  async start() {
    if (isFramedByStranger()) {
      await needAllWords();
      this.#view.show('framed', { title: 'title_framed', lead: 'framed' });
      this.#view.offerOwnTab();
      return;
    }
    if (!this.#repeatable || !say('lead')) {
      // It ends otherwise, or it is the small page, which brings no words.
      needAllWords().then(() => this.#view.redraw());
    }
    document.addEventListener('visibilitychange', () => this.#look());
    addEventListener('pagehide', () => this.#rest());
    addEventListener('pageshow', ({ persisted }) => persisted && this.#wake());
    addEventListener('online', () => document.documentElement.dataset.failure === 'network' && this.#begin());
    setInterval(() => this.#tick(), TICK_MS);
    const { challenge = '', expiresIn } = this.#data;
    // Its seconds are counted from before the request: too early is only a new challenge, too late is a refusal.
    this.#adopt({ challenge, expires_in: Number(expiresIn) }, 0);
    this.#begin();
  }

  /** From the beginning, by itself or because the visitor asks. */
  #begin() {
    this.#round = 0;
    this.#compete();
  }

  /** Begins to solve at once; a tab that was first makes this one wait. */
  #compete() {
    this.#newTurn();
    this.#view.show('starting', { status: 'starting', action: 'cancel' });
    if (!this.#challenge || this.#expired()) {
      this.#renew();
      return;
    }
    this.#round++;
    this.#pool.start(this.#challenge, this.#attended());
    this.#view.progress(this.#pool.progress());
    this.#tabs.claim(this.#pool.progress());
  }

  async #renew() {
    const turn = this.#newTurn();
    const answer = await requestChallenge(this.#algorithms);
    if (turn !== this.#turn) {
      return;
    }
    if (this.#adopt(answer, performance.now())) {
      this.#compete();
    } else if (answer.needed === false) {
      this.#leave();
    } else {
      this.#fail(codeOf(answer), answer.failure_id);
    }
  }

  /** Where `hashwx` does not run, the other algorithm does. */
  #doWithout() {
    this.#algorithms = 'sha256';
    this.#renew();
  }

  /** @param {'hashwx' | 'simd' | 'scalar' | 'javascript'} lane */
  #solving(lane) {
    this.#view.lane(lane);
    this.#view.show('solving', { action: 'cancel' });
    this.#view.announce(1, 'live_start');
    this.#progressed();
  }

  #progressed() {
    const progress = this.#pool.progress();
    this.#view.status(this.#view.progress(progress));
    if (progress.solved * 2 >= progress.count) {
      this.#view.announce(2, 'live_half');
    }
    this.#tabs.pulse(progress);
  }

  /** Another tab solves. */
  async #wait() {
    const turn = this.#newTurn();
    await needAllWords();
    if (turn !== this.#turn) {
      return;
    }
    this.#view.show('waiting', { status: 'waiting', action: 'cancel' });
    this.#view.announce(1, 'waiting');
  }

  /** @param {Progress} progress of the tab that solves */
  #follow(progress) {
    if (this.#view.state === 'waiting') {
      this.#view.status(`${say('waiting')} ${this.#view.progress(progress)}.`);
    }
  }

  async #othersOpened() {
    const turn = this.#turn;
    const leaving = await this.#leaveIfOpen();
    // What the other tab has bought is not enough for this address: this one buys for itself.
    if (!leaving && turn === this.#turn && this.#view.state === 'waiting') {
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
    this.#view.show('verifying', { status: 'verifying', action: 'cancel' });
    /** @type {number | undefined} */
    let bought;
    let code = '';
    /** @type {string | undefined} */
    let failureId;
    for (let attempt = 1; attempt <= SUBMISSIONS_MAX; attempt++) {
      const answer = await sendSolution(text, solution);
      const access = await askClearance();
      if (turn !== this.#turn) {
        return;
      }
      if (access === 'open') {
        this.#leave();
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
      if (!/^(busy|network)$/.test(code)) {
        this.#refused(code, answer);
        return;
      }
      this.#view.status(say(code === 'busy' ? 'busy' : 'offline'));
      await pauseBusy(answer.retryAfter);
      if (turn !== this.#turn) {
        return;
      }
    }
    this.#fail(code, failureId);
  }

  /**
   * A refusal brings a fresh challenge: the page goes on with it, but not for ever.
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
    this.#adopt(answer, performance.now());
    this.#compete();
  }

  /**
   * @param {string} code
   * @param {string} [failureId] the number that the site told
   */
  async #fail(code, failureId) {
    const turn = this.#newTurn();
    this.#challenge = undefined;
    this.#tabs.leave('gone', code);
    await needAllWords();
    if (turn !== this.#turn) {
      return;
    }
    const wait = /^(no_progress|outpriced)$/.test(code) ? ticketSeconds() : 0;
    const lead = wait ? 'waits' : failureText(code);
    this.#view.show('failed', { title: 'title_failed', lead, status: 'help', action: 'retry' }, code);
    this.#view.announce(3, lead);
    this.#number(failureId ?? reportFailure(code));
    if (code !== 'cookies') {
      this.#leaveIfOpen();
    }
    if (wait) {
      this.#view.status(sayTimeLeft(wait));
      setTimeout(() => this.#view.state === 'failed' && location.reload(), 1000 * wait);
    }
  }

  /** @param {string | undefined | Promise<string | undefined>} asked the number of this failure, for a visitor to pass on */
  async #number(asked) {
    const turn = this.#turn;
    const id = await asked;
    if (id && turn === this.#turn) {
      this.#view.failed(id);
    }
  }

  /** @returns {Promise<boolean>} whether the page leaves */
  async #leaveIfOpen() {
    const turn = this.#turn;
    const open = (await askClearance()) === 'open' && turn === this.#turn && this.#view.state !== 'done';
    if (open) {
      this.#leave();
    }
    return open;
  }

  /** The site would answer now. A form is not sent twice: its page goes back to it. */
  #leave() {
    this.#newTurn();
    this.#tabs.leave('done');
    this.#view.show('done', {
      title: 'title_done',
      lead: this.#repeatable ? 'done' : 'done_form',
      action: this.#repeatable ? undefined : 'back',
    });
    this.#view.announce(3, this.#repeatable ? 'done' : 'done_form');
    if (this.#repeatable) {
      location.reload();
    }
  }

  /** After an upgrade of the server this page's assets are gone; the next page names the new ones. */
  #reloadOnce() {
    const [navigation] = /** @type {PerformanceNavigationTiming[]} */ (performance.getEntriesByType('navigation'));
    if (this.#repeatable && navigation && navigation.type !== 'reload') {
      location.reload();
    }
  }

  async #press() {
    const { state } = this.#view;
    if (state === 'done') {
      history.back();
    } else if (state === 'failed' || state === 'cancelled') {
      this.#view.restart();
      this.#begin();
    } else {
      const turn = this.#newTurn();
      this.#tabs.leave();
      await needAllWords();
      if (turn !== this.#turn) {
        return;
      }
      this.#view.show('cancelled', { title: 'title_cancelled', lead: 'cancelled', action: 'retry' });
    }
  }

  #tick() {
    const { state } = this.#view;
    if (/^(done|cancelled)$/.test(state)) {
      return;
    }
    this.#tabs.tick();
    if (this.#pool.running) {
      this.#pool.resize(this.#attended());
      this.#pool.tick();
    }
    if (this.#pool.running && this.#expired()) {
      this.#outlived();
    } else if (this.#view.state === 'solving') {
      this.#progressed();
    } else {
      this.#tabs.pulse(this.#pool.progress());
    }
    if (++this.#ticks % (state === 'failed' ? ASK_EVERY_TICKS_FAILED : ASK_EVERY_TICKS) === 0) {
      this.#leaveIfOpen();
    }
  }

  /** The challenge ran out while it was being solved. */
  #outlived() {
    if (!this.#attended()) {
      this.#newTurn();
      this.#tabs.leave();
      this.#paused = true;
      this.#view.show('waiting', { status: 'paused', action: 'cancel' });
      needAllWords().then(() => this.#view.redraw());
    } else if (this.#round >= CHALLENGES_MAX) {
      this.#fail('expired');
    } else {
      this.#compete();
    }
  }

  /** The visitor looks at this tab again, or away from it. */
  async #look() {
    if (this.#pool.running) {
      this.#pool.resize(this.#attended());
    }
    if (document.hidden || /^(done|cancelled)$/.test(this.#view.state)) {
      return;
    }
    const turn = this.#turn;
    const leaving = await this.#leaveIfOpen();
    if (!leaving && turn === this.#turn && (this.#paused || (this.#pool.running && this.#expired()))) {
      this.#begin();
    }
  }

  /** The page is left, perhaps for the back/forward cache. */
  #rest() {
    const asleep = this.#active();
    this.#newTurn();
    this.#paused = asleep;
    this.#tabs.leave();
    this.#tabs.close();
  }

  /** Back from the back/forward cache: the site may be open by now. */
  async #wake() {
    const goOn = this.#paused;
    const turn = this.#newTurn();
    const leaving = await this.#leaveIfOpen();
    if (!leaving && turn === this.#turn && goOn) {
      this.#begin();
    }
  }

  /** @returns {number} the turn that begins */
  #newTurn() {
    this.#pool.stop();
    this.#paused = false;
    return ++this.#turn;
  }

  /**
   * @param {{challenge?: string, expires_in?: number}} answer
   * @param {number} receivedAt
   * @returns {boolean} whether there was a challenge in it
   */
  #adopt({ challenge, expires_in: expiresIn = 0 }, receivedAt) {
    try {
      this.#challenge = challenge ? readChallenge(challenge, expiresIn, receivedAt) : undefined;
    } catch {
      this.#challenge = undefined;
    }
    return this.#challenge !== undefined;
  }

  #expired() {
    return performance.now() > (this.#challenge?.deadline ?? 0);
  }

  /** Somebody looks at this tab, or at one that waits for it. */
  #attended() {
    return !document.hidden || this.#tabs.watched;
  }

  #active() {
    return /^(starting|solving|waiting|verifying)$/.test(this.#view.state);
  }
}

/**
 * @param {Answer} answer
 * @returns {string} a code of PROTOCOL §4, or `network`, `unknown`
 */
function codeOf({ status, code }) {
  if (status === 0) {
    return 'network';
  }
  return code ?? (status === 429 || status >= 500 ? 'busy' : 'unknown');
}

/**
 * A browser that cannot calculate may wait as one without script does: the page brought it a ticket.
 *
 * @returns {number} seconds until it is good; 0 without one
 */
function ticketSeconds() {
  const text = document.querySelector('noscript')?.textContent ?? '';
  return Number(/refresh\D+(\d+)/.exec(text)?.[1] ?? 0);
}

/** In a cross-site frame no cookie arrives, whatever is solved. */
function isFramedByStranger() {
  try {
    return window.top !== window && window.top?.location.origin !== location.origin;
  } catch {
    return true;
  }
}
