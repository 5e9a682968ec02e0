import { drawAttacks, showAttacks } from './attacks.js';
import { BarChart, LineChart } from './chart.js';
import { beginConfirming } from './confirm.js';
import { onPhone, short, size, time } from './numbers.js';
import { element, input, part, write } from './parts.js';
import { showCallers, showTop } from './lists.js';
import { beginRules, showPin, showRules } from './rules.js';
import { keepToken, takeToken } from './session.js';
import { beginMode, beginPasses, showMode, showPasses } from './steer.js';
import { Stream } from './stream.js';

/** @import { Second } from './chart.js' */

/** Seconds that are kept. */
const KEPT_MAX = 600;
/** How often the passes are asked for, in seconds. */
const PASSES_EVERY = 30;

const seconds = /** @type {Second[]} */ ([]);
let solve = { bounds: /** @type {number[]} */ ([]), counts: /** @type {number[]} */ ([]) };
let site = '';
let saidState = '';
let untilPasses = 0;

const demand = new LineChart(part('demand-chart'), 'Demand against capacity, credits a second', [
  { column: 'raw', name: 'all requests', look: 'b' },
  { column: 'offered', name: 'each network up to its cap', look: 'a' },
  { column: 'paid', name: 'paid for', look: 'c' },
  { column: 'capacity', name: 'capacity', look: 'd dashes' },
], short);
const requests = new LineChart(part('requests-chart'), 'Requests a second', [
  { column: 'admitted', name: 'let through', look: 'c' },
  { column: 'challenged', name: 'asked for work', look: 'b' },
  { column: 'solved', name: 'solved', look: 'a dashes' },
  { column: 'failed', name: 'solutions refused', look: 'd dots' },
  { column: 'denied', name: 'denied', look: 'e dashes' },
], short);
const price = new LineChart(part('price-chart'), 'Price in attempts', [{ column: 'price', name: 'attempts for a full clearance', look: 'a' }], short);
const origin = new LineChart(part('origin-chart'), 'Delay of the origin in milliseconds, and its errors a second', [
  { column: 'delay', name: 'mean delay, ms', look: 'a', times: 1000 },
  { column: 'errors', name: 'errors a second', look: 'd dashes' },
], short);
const verifier = new LineChart(part('verifier-chart'), 'What the verifier takes, in percent', [
  { column: 'cpu', name: '% of one core', look: 'a', times: 100 },
  { column: 'table', name: '% of the table in use', look: 'e dashes', times: 100 },
], short);
const solveTimes = new BarChart(part('solve-chart'));

/**
 * The seconds of a site: all that are kept, or what is new.
 *
 * @param {any} told
 */
function takeSeconds(told) {
  if (told.site !== site) {
    site = told.site;
    seconds.length = 0;
  }
  for (const row of told.rows) {
    const second = Object.fromEntries(told.columns.map((/** @type {string} */ column, /** @type {number} */ place) => [column, row[place]]));
    // After a stream broke off, the next one begins with what is known already.
    if (second.at > (seconds[seconds.length - 1]?.at ?? 0)) {
      seconds.push(second);
    }
  }
  seconds.splice(0, seconds.length - KEPT_MAX);
  ({ solve } = told);
}

function drawAll() {
  drawAttacks(seconds[seconds.length - 1]?.at);
  for (const chart of [demand, requests, price, origin, verifier]) {
    chart.draw(seconds);
  }
  const { bounds, counts } = solve;
  const all = counts.reduce((sum, count) => sum + count, 0);
  let below = 0;
  const half = counts.findIndex((count) => (below += count) * 2 >= all);
  const median = half < bounds.length ? `half of them within ${time(bounds[half])}` : `half of them in more than ${time(bounds[bounds.length - 1])}`;
  const said = all ? `${all} visitors solved in the last ten minutes, ${median}. Seconds from the challenge to the clearance.` : 'Nobody has solved in the last ten minutes.';
  solveTimes.draw([...bounds.map((bound) => `≤${bound}`), `>${bounds[bounds.length - 1] ?? ''}`], counts, said);
}

/**
 * What an overload is seen by, by its name in the status.
 *
 * @type {Record<string, string>}
 */
const SIGNS = {
  offered: 'more is asked for than the site can do',
  queue_delay: 'who has paid waits too long',
  pressure: 'the machine is short of processor time, memory or disk',
  probe: 'the site answers its probe slowly',
  failures: 'the site answers with errors',
  held_up: 'many networks hold the site’s workers',
  told_load: 'a program of yours says so',
};

/**
 * What the gate does, in words.
 *
 * @param {any} of the site
 * @returns {[boolean, string, string]} whether it is down, what it does, and why
 */
function stateOf(of) {
  const signs = of.overload.map((/** @type {string} */ name) => SIGNS[name] ?? name);
  const why = signs.length ? `Overloaded: ${signs.join('; ')}.` : '';
  if (of.mode === 'off') {
    return [false, 'The gate is off', `Nothing is asked of anybody. ${why}`];
  }
  if (of.mode === 'on') {
    return [true, 'The gate is down by hand', `Mode on: everybody is asked for work. ${why}`];
  }
  if (of.state === 'attack') {
    return [true, 'The gate is down', `${why || 'What closed it goes on.'} Whoever wants a page solves a puzzle first.`];
  }
  if (of.state === 'hold') {
    return [true, 'The gate is down and waits', `The overload is over. It lets go in ${time(of.hold_left_seconds)} if nothing comes back.`];
  }
  if (of.networks_above_cap_challenged) {
    return [true, 'The gate is down for the loud', 'Only networks that ask for more than their share solve a puzzle. Nobody else is asked.'];
  }
  return [false, 'The gate is open', `Nothing is asked of anybody. ${why}`];
}

/** @param {any} status */
function showNow(status) {
  const of = status.sites.find((/** @type {any} */ one) => one.name === site) ?? status.sites[0];
  const last = seconds[seconds.length - 1];
  const [isDown, state, why] = stateOf(of);
  document.documentElement.toggleAttribute('data-down', isDown);
  write(part('state'), state);
  write(part('why'), why);
  document.title = `${isDown ? '▼' : '△'} ${state} – ${of.name} – Portcullis`;
  if (saidState !== state) {
    // The first one is on the page already.
    write(part('live'), saidState ? `${of.name}: ${state}.` : '');
    saidState = state;
  }
  tile('price', short(of.price), onPhone(of.price, status.ceiling));
  tile('through', `${short(last?.admitted)}/s`, `${short(of.demand.paid_credits_per_second)} credits/s paid for`);
  tile('asked', `${short(last?.challenged)}/s`, `${short(last?.denied)}/s denied, ${short(last?.busy)}/s without room`);
  tile('solved', `${short(last?.solved)}/s`, `${short(last?.failed)}/s refused`);
  tile('delay', time(last?.delay), `${short(last?.errors)} errors/s`);
  const capacity = of.capacity?.credits_per_second;
  const load = capacity ? `${Math.round((100 * of.demand.offered_credits_per_second) / capacity)} %` : '–';
  tile('load', load, capacity ? `of ${short(capacity)} credits/s` : 'what the site can do is not known');
  const queue = of.queue ? `${of.queue.in_use} requests are at the origin, ${of.queue.waiting} wait. ` : '';
  write(part('origin-told'), `${queue}${of.signals.site_down ? 'The site itself is down. ' : ''}`);
  write(part('verifier-told'), `${size(last?.memory ?? 0)} of memory, ${status.table.used} of ${status.table.slots} places in the table, ${status.connections} connections, running for ${time(status.uptime_seconds)}.`);
  showPin(of);
  showCallers(of, isDown);
}

/**
 * @param {string} id
 * @param {string} text
 * @param {string} more
 */
function tile(id, text, more) {
  const place = part(id);
  if (!place.firstChild) {
    place.append('', element('small'));
  }
  write(/** @type {Node} */ (place.firstChild), text);
  write(/** @type {Node} */ (place.lastChild), more);
}

/** @param {any} status */
function showSites(status) {
  const choice = /** @type {HTMLSelectElement} */ (part('site'));
  const names = status.sites.map((/** @type {any} */ one) => one.name);
  part('site-choice').hidden = names.length < 2;
  if ([...choice.options].map((option) => option.value).join('\n') !== names.join('\n')) {
    choice.replaceChildren(...names.map((/** @type {string} */ name) => element('option', '', name)));
  }
  choice.value = site;
}

const stream = new Stream({
  event(name, data) {
    if (name === 'seconds') {
      takeSeconds(data);
      return;
    }
    if (name === 'attacks') {
      showAttacks(data);
      return;
    }
    part('closed').hidden = true;
    part('open').hidden = false;
    showSites(data);
    showNow(data);
    showMode(data);
    showRules(data);
    showTop(data);
    drawAll();
    if (untilPasses <= 0) {
      untilPasses = PASSES_EVERY;
      showPasses();
    }
    untilPasses -= 1;
  },
  link(state) {
    const told = { live: 'Live', lost: 'No connection; trying again…', refused: 'The token is needed', replaced: 'Others have opened the dashboard; reload to go on here' };
    write(part('link'), told[state]);
    part('link').toggleAttribute('data-lost', state !== 'live');
    if (state === 'refused') {
      part('open').hidden = true;
      part('closed').hidden = false;
      input('closed-token').focus();
    }
  },
});

part('closed-form').addEventListener('submit', (event) => {
  event.preventDefault();
  keepToken(input('closed-token').value.trim());
  write(part('closed-error'), '');
  stream.follow(site).then(() => {
    if (!part('closed').hidden) {
      write(part('closed-error'), 'This is not the token.');
    }
  });
});
part('site').addEventListener('change', () => stream.follow(input('site').value));
takeToken();
beginConfirming();
beginMode();
beginPasses(() => site);
beginRules(() => site);
stream.follow('');
