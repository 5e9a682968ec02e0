import { drawn } from './chart.js';
import { counted, inZone, short, span, utc } from './numbers.js';
import { element, part, strange, write } from './parts.js';
import { save } from './session.js';

/** The forms of a report: as the verifier calls them, and as people do. */
const FORMS = /** @type {[string, string, string][]} */ ([
  ['html', 'HTML', 'html'],
  ['md', 'Markdown', 'md'],
  ['json', 'JSON', 'json'],
  ['csv', 'CSV', 'csv'],
  ['stix', 'STIX', 'stix.json'],
]);

/** What the strip shows at least, in seconds: an attack of a minute ago does not fill it. */
const STRIP_SECONDS_MIN = 3600;
/** The strip, in pixels. */
const STRIP_PX = 64;
const STRIP_BELOW_PX = 20;
/** The narrowest bar: an attack of a minute can be seen in a month. */
const BAR_PX_MIN = 3;

/** How an attack ended, in words. */
const ENDINGS = /** @type {Record<string, string>} */ ({
  let_go: 'nothing came back, and the gate let go',
  mode_off: 'the mode was set to off',
  site_removed: 'the site was taken out of the configuration',
  interrupted: 'the verifier stopped meanwhile',
});

/**
 * An attack in a line, as `GET /attacks` tells it.
 *
 * @typedef {object} Attack
 * @property {number} number
 * @property {string} site
 * @property {number} began_at in unix seconds, as all times
 * @property {number | null} ended_at
 * @property {string | null} ending
 * @property {number} written_at
 * @property {number} returns
 * @property {number} turned_away
 * @property {number} paid
 * @property {number} unpaid
 * @property {number} requests_per_second_max
 * @property {number} demand_max
 * @property {number | null} capacity
 */

/**
 * A line that is shown, with the places in it that change.
 *
 * @typedef {object} Line
 * @property {HTMLElement} line
 * @property {Record<string, HTMLElement>} places
 */

let attacks = /** @type {Attack[]} */ ([]);

/** The lines by the numbers of their attacks: a link that has the focus stays. */
const attackLines = /** @type {Map<number, Line>} */ (new Map());

const strip = drawn('svg', { class: 'strip', role: 'img' });

/** @param {any} told */
export function showAttacks(told) {
  ({ attacks } = told);
  const more = told.all > attacks.length ? ` The last ${attacks.length} of ${told.all} are here; “portcullis attacks” lists all.` : '';
  const kept = told.kept ? `Kept for ${told.keep_attacks_days} days.` : 'They are forgotten when the verifier stops: no state_dir is configured.';
  write(part('attacks-told'), attacks.length ? `${kept}${more} A report can be handed on; what strangers sent stands in it.` : `None has been noticed. ${kept}`);
  for (const [number, { line }] of attackLines) {
    if (!attacks.some((attack) => attack.number === number)) {
      line.remove();
      attackLines.delete(number);
    }
  }
  // The newest first: a new one comes before all that are there.
  for (const attack of [...attacks].reverse()) {
    let known = attackLines.get(attack.number);
    if (!known) {
      known = lineOf(attack);
      attackLines.set(attack.number, known);
      part('attacks').prepend(known.line);
    }
    fill(known.places, attack);
  }
}

/**
 * @param {Attack} attack
 * @returns {Line}
 */
function lineOf(attack) {
  const places = /** @type {Record<string, HTMLElement>} */ ({});
  const place = (/** @type {string} */ key, /** @type {string} */ name = 'span') => (places[key] = element(name));
  const entry = (/** @type {string} */ title, /** @type {(Node | string)[]} */ ...told) => element('div', '', element('dt', '', title), element('dd', '', ...told));
  const links = element('dd', 'row', ...FORMS.map((form) => reportLink(attack.number, form)));
  const list = element(
    'dl',
    'tiles',
    entry('Began', place('began', 'time'), place('beganHere', 'small')),
    entry('Ended', place('ended', 'time'), place('endedHere', 'small')),
    entry('Peak demand', place('peak'), place('peakMore', 'small')),
    entry('Served', place('served'), place('servedMore', 'small')),
    entry('Turned away', place('away'), place('awayMore', 'small')),
    element('div', 'reports', element('dt', '', 'Report'), links),
  );
  const title = element('h3', '', `Attack ${attack.number} on `, strange(attack.site), ' ', place('state'));
  return { line: element('li', '', title, list), places };
}

/**
 * @param {Record<string, HTMLElement>} places
 * @param {Attack} attack
 */
function fill(places, attack) {
  const put = (/** @type {string} */ key, /** @type {string} */ text) => write(/** @type {Node} */ (places[key]), text);
  const lasted = span((attack.ended_at ?? attack.written_at) - attack.began_at);
  const back = attack.returns ? `, came back ${attack.returns === 1 ? 'once' : `${attack.returns} times`}` : '';
  put('state', attack.ended_at === null ? `is still going on, for ${lasted} so far${back}` : `lasted ${lasted}${back}`);
  places['state']?.classList.toggle('bad', attack.ended_at === null);
  moment('began', attack.began_at, '');
  if (attack.ended_at === null) {
    put('ended', 'Not yet');
    put('endedHere', 'the gate is down');
  } else {
    moment('ended', attack.ended_at, ENDINGS[attack.ending ?? ''] ?? '');
  }
  put('peak', `${short(attack.demand_max)} credits/s`);
  put('peakMore', `${againstCapacity(attack)}; at most ${short(attack.requests_per_second_max)} requests/s`);
  put('served', counted(attack.paid + attack.unpaid));
  put('servedMore', `${counted(attack.paid)} paid for, ${counted(attack.unpaid)} without work`);
  put('away', counted(attack.turned_away));
  put('awayMore', 'asked for work, denied, or without room');

  /** @type {(key: string, at: number, more: string) => void} */
  function moment(key, at, more) {
    put(key, utc(at));
    places[key]?.setAttribute('datetime', new Date(at * 1000).toISOString());
    put(`${key}Here`, `${inZone(at)} here${more ? `; ${more}` : ''}`);
  }
}

/**
 * @param {Attack} attack
 * @returns {string}
 */
function againstCapacity({ demand_max: demand, capacity }) {
  if (!capacity) {
    return 'what the site can do was not known';
  }
  return `${short(demand / capacity)} times the ${short(capacity)} that the site can do`;
}

/**
 * A link to the report in one form. It is fetched with the token, which no link carries, and saved.
 *
 * @param {number} number
 * @param {[string, string, string]} form
 * @returns {HTMLElement}
 */
function reportLink(number, [form, name, extension]) {
  const path = `/attacks/${number}/report?format=${form}`;
  const link = element('a', '', name);
  link.setAttribute('href', path);
  link.setAttribute('download', `attack-${number}.${extension}`);
  link.setAttribute('aria-label', `Report of attack ${number} as ${name}`);
  link.addEventListener('click', async (event) => {
    event.preventDefault();
    write(part('attacks-error'), '');
    const file = `attack-${number}.${extension}`;
    const zone = encodeURIComponent(Intl.DateTimeFormat().resolvedOptions().timeZone);
    let { status, error } = await save(`${path}&time_zone=${zone}`, file);
    if (status === 400) {
      // The verifier's machine does not know the zone: then the times are those of its own.
      ({ status, error } = await save(path, file));
    }
    write(part('attacks-error'), status === 200 ? '' : `There is no report: ${error}.`);
  });
  return link;
}

/**
 * When the attacks were, and how they compare.
 *
 * @param {number | null | undefined} now the verifier's time
 */
export function drawAttacks(now) {
  const place = part('attacks-strip');
  place.hidden = attacks.length === 0;
  if (!now || attacks.length === 0) {
    return;
  }
  if (!strip.parentNode) {
    place.append(strip);
  }
  const from = Math.min(now - STRIP_SECONDS_MIN, ...attacks.map((attack) => attack.began_at));
  const width = Math.max(strip.clientWidth, 240);
  const bottom = STRIP_PX - STRIP_BELOW_PX;
  const most = Math.max(1, ...attacks.map((attack) => attack.demand_max));
  const x = (/** @type {number} */ at) => ((at - from) / (now - from)) * width;
  const bars = attacks.map((attack) => {
    const left = Math.min(x(attack.began_at), width - BAR_PX_MIN);
    const height = Math.max((attack.demand_max / most) * (bottom - 4), 4);
    return drawn('rect', { class: 'attack', x: left.toFixed(1), y: (bottom - height).toFixed(1), width: Math.max(x(attack.ended_at ?? now) - left, BAR_PX_MIN).toFixed(1), height: height.toFixed(1) });
  });
  strip.setAttribute('viewBox', `0 0 ${width} ${STRIP_PX}`);
  strip.replaceChildren(
    ...bars,
    drawn('path', { class: 'grid', d: `M0 ${bottom}H${width}` }),
    drawn('text', { x: 0, y: STRIP_PX - 4 }, utc(from)),
    drawn('text', { x: width, y: STRIP_PX - 4, 'text-anchor': 'end' }, 'now'),
  );
  const said = attacks.length === 1 ? 'When the attack was' : `When the last ${attacks.length} attacks were`;
  strip.setAttribute('aria-label', `${said}, from ${utc(from)} until now, each as high as its peak demand. The list below has the figures.`);
}
