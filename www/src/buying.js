import { keepModules } from './framed-worker.js';
import { Note } from './note.js';
import { TICK_MS, pauseBusy } from './patience.js';
import { reportFailure } from './protocol.js';
import { Purchase } from './purchase.js';
import { ENGLISH, textsFor } from './tag-texts.js';
import { TokenPurchase } from './token.js';
import { startWorker } from './worker.js';

/** @import { Place } from './protocol.js' */
/** @import { Progress } from './tabs.js' */
/** @import { TokenWish } from './token.js' */

/**
 * Bought by this page; bought by another, in another tab or before; not at all; or in vain, because this browser does not keep
 * the cookie.
 *
 * @typedef {'bought' | 'others' | 'failed' | 'refused'} Outcome
 */

// One file is both: a page loads it once.
if (typeof document === 'undefined') {
  keepModules();
  startWorker();
}

/**
 * Shown while the gate lets anything wait, however much that is.
 *
 * @type {Note | undefined}
 */
let busyNote;
let waiting = 0;
/**
 * The last that says that no cookie is kept.
 *
 * @type {Note | undefined}
 */
let cookiesNote;

/** One clearance for a page that stays. */
export class Buying {
  #purchase;
  #told;
  /** @type {Note | undefined} */
  #note;
  /** While nobody waits for it: a reading of `performance.now()`, when somebody may have to. */
  #until = 0;
  #gentle = false;
  #begun = false;
  #rests = false;
  #timer;
  /** @type {(outcome: Outcome) => void} */
  #resolve = () => {};
  #listening = new AbortController();
  /** @type {Promise<Outcome>} */
  outcome = new Promise((resolve) => (this.#resolve = resolve));

  /**
   * @param {Place} place what is wanted, and where its endpoints are
   * @param {boolean} told whether a note says what happens when it takes longer
   * @param {{challenge?: string, leftMs?: number}} wish the challenge of the gate's answer; or how long nobody will wait for it
   */
  constructor(place, told, { challenge, leftMs }) {
    this.#told = told;
    this.#purchase = new Purchase(
      {
        progressed: (progress) => this.#progressed(progress),
        followed: (progress) => this.#note?.progress(progress),
        opened: (bought) => this.#end(bought ? 'bought' : 'others'),
        failed: (code, failureId) =>
          code === 'cookies' ? this.#refuse(failureId ?? reportFailure(code, place)) : this.#end('failed'),
        outdated: () => this.#end('failed'),
      },
      place,
    );
    this.#timer = setInterval(() => this.#purchase.tick(), TICK_MS);
    const { signal } = this.#listening;
    document.addEventListener('visibilitychange', () => this.#look(), { signal });
    addEventListener('pagehide', () => this.#purchase.rest(), { signal });
    addEventListener('pageshow', ({ persisted }) => persisted && this.#purchase.look(), { signal });
    if (leftMs !== undefined) {
      this.#gentle = true;
      this.#until = performance.now() + leftMs;
      this.#purchase.pace(true);
    } else {
      this.#tell();
    }
    this.#purchase.adopt({ challenge }, performance.now());
    // This script took its time to come: by now nobody may look.
    this.#rests = document.hidden && this.#gentle;
    if (!this.#rests) {
      this.#begin();
    }
  }

  #begin() {
    this.#begun = true;
    this.#purchase.begin();
  }

  /** Somebody waits for it now. */
  hurry() {
    if (this.#gentle) {
      this.#gentle = false;
      this.#purchase.pace(false);
      if (this.#rests) {
        this.#begin();
      }
      this.#tell();
    }
  }

  #tell() {
    if (this.#told) {
      this.#note = new Note();
    }
  }

  /** What nobody waits for rests while nobody looks. */
  #look() {
    this.#rests = document.hidden && this.#gentle;
    if (this.#rests) {
      this.#purchase.rest();
    } else if (this.#begun) {
      this.#purchase.look();
    } else {
      this.#begin();
    }
  }

  /** @param {Progress} progress */
  #progressed(progress) {
    this.#note?.progress(progress);
    const { seconds } = progress;
    const soonest = Math.min(this.#until, this.#purchase.deadline);
    if (this.#gentle && seconds !== undefined && performance.now() + 1000 * seconds > soonest) {
      this.#purchase.pace(false);
    }
  }

  /** @param {Outcome} outcome */
  #end(outcome) {
    this.#purchase.stop();
    clearInterval(this.#timer);
    this.#listening.abort();
    this.#note?.remove();
    this.#resolve(outcome);
  }

  /** @param {string | Promise<string | undefined>} failureId */
  #refuse(failureId) {
    console.warn(`Portcullis: ${ENGLISH.tag_cookies}`);
    if (this.#told) {
      cookiesNote?.remove();
      cookiesNote = new Note('tag_cookies', Promise.resolve(failureId));
    }
    this.#end('refused');
  }
}

/**
 * The gate let a request wait that was paid for.
 *
 * @param {number} seconds
 * @param {boolean} told whether a note says so when it takes longer
 */
export async function waitForTurn(seconds, told) {
  if (told && !waiting++) {
    busyNote = new Note('tag_busy');
  }
  await pauseBusy(seconds);
  if (told && !--waiting) {
    busyNote?.remove();
  }
}

/**
 * @param {string} base beside which URL the endpoints are
 * @param {TokenWish} wish
 * @param {(progress: Progress) => void} progressed
 */
export function buyToken(base, wish, progressed) {
  return new TokenPurchase(base, wish, progressed);
}

/**
 * What the tag says at an element, and in which language.
 *
 * @param {Element} element
 * @param {string} [asked] a language tag
 */
export function sayAt(element, asked) {
  return textsFor(element, asked);
}

/** The same before the words of another language are there. */
export function sayInEnglish() {
  return ENGLISH;
}

/** What takes longer than a second is told, until it is removed. */
export function openNote() {
  return new Note();
}
