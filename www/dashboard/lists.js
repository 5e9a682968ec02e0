import { button, element, part, strange, write } from './parts.js';
import { time } from './numbers.js';
import { askForRule, isPlainPath } from './rules.js';

/** How many of each kind are shown. */
const SHOWN_MAX = 8;

/** @type {[string, string, string][]} */
const KINDS = [
  ['networks', 'Networks', 'Network'],
  ['paths', 'Paths', 'Path'],
  ['user_agents', 'User agents', 'User agent'],
  ['reasons', 'Reasons of refusals', 'Reason'],
];

/** How long a list stands still for whoever points at it, in milliseconds. */
const STILL_MS_MAX = 20000;

/** What was shown last, and when. */
const shown = /** @type {Map<string, {text: string, at: number}>} */ (new Map());

/**
 * Puts nodes into a place, unless it shows the same already. What somebody points at stands still for a while: nothing moves from
 * under a finger; and the focus stays on the button that has it.
 *
 * @param {string} id
 * @param {any} told what they are made of
 * @param {() => Node[]} make
 */
function show(id, told, make) {
  const [text, place, last] = [JSON.stringify(told), part(id), shown.get(id)];
  const isHeld = last !== undefined && place.matches(':hover, :focus-within') && Date.now() - last.at < STILL_MS_MAX;
  if (last?.text === text || isHeld) {
    return;
  }
  shown.set(id, { text, at: Date.now() });
  const focused = place.contains(document.activeElement) ? document.activeElement?.getAttribute('aria-label') : null;
  place.replaceChildren(...make());
  if (focused) {
    const same = [...place.querySelectorAll('button')].find((one) => one.getAttribute('aria-label') === focused);
    same?.focus();
  }
}

/** @param {any} status */
export function showTop(status) {
  const { top } = status;
  write(part('top-told'), `In the last ${time(top.seconds)}. Names are what strangers sent. Counts are a little too low and never too high.`);
  show('top', top, () => KINDS.map(([key, title, head]) => {
    const rows = top[key].slice(0, SHOWN_MAX).map((/** @type {any} */ heavy) => element(
      'tr',
      '',
      element('td', '', strange(heavy.name), ...(heavy.site && status.sites.length > 1 ? [element('span', 'soft', ` ${heavy.site}`)] : [])),
      element('td', 'number', String(heavy.requests)),
      element('td', 'number', String(heavy.turned_away)),
      ...(hasRules(key) ? [element('td', 'number', ...ruleButton(key, heavy, status.sites.length > 1))] : []),
    ));
    const heads = [head, 'Requests', 'Turned away', ...(hasRules(key) ? ['Rule'] : [])].map((text) => {
      const cell = element('th', '', text);
      cell.setAttribute('scope', 'col');
      return cell;
    });
    const table = element('table', '', element('thead', '', element('tr', '', ...heads)), element('tbody', '', ...rows));
    return element('div', '', element('h3', '', title), rows.length ? table : element('p', 'soft', 'Nothing came.'));
  }));
}

/**
 * Whether rules are made against what is listed.
 *
 * @param {string} key
 * @returns {boolean}
 */
function hasRules(key) {
  return key === 'networks' || key === 'paths';
}

/**
 * The button that asks for a rule against one of the heaviest, if its name can stand in one.
 *
 * @param {string} key
 * @param {any} heavy
 * @param {boolean} several whether there are several sites
 * @returns {Node[]}
 */
function ruleButton(key, heavy, several) {
  const isNetwork = key === 'networks';
  if (!isNetwork && !isPlainPath(heavy.name)) {
    return [];
  }
  const subject = isNetwork ? { network: heavy.name } : { path: heavy.name, ...(several && heavy.site ? { site: heavy.site } : {}) };
  return [button('Rule…', () => askForRule(subject), `Make a rule against ${heavy.name}`)];
}

/**
 * @param {any} site
 * @param {boolean} isDown
 */
export function showCallers(site, isDown) {
  const byHand = site.callers.filter((/** @type {any} */ caller) => caller.by_hand);
  const callers = [...byHand, ...site.callers.filter((/** @type {any} */ caller) => !caller.by_hand)];
  const are = isDown ? 'These programs, which come regularly, are turned away now. Look at what each is before you let it pass.'
    : 'These programs, which come regularly, would be turned away if the gate went down.';
  const now = byHand.length ? `${byHand.length} of them ${byHand.length === 1 ? 'is' : 'are'} turned away at all times, by a rule made by hand.` : '';
  write(part('callers-told'), callers.length ? `${are} ${now}` : `No program that comes regularly ${isDown ? 'is' : 'would be'} turned away.`);
  const seen = callers.map((/** @type {any} */ caller) => [caller.method, caller.path, caller.network, caller.rule, caller.by_hand !== null]);
  show('callers', seen, () => callers.map((/** @type {any} */ caller) => {
    const times = `${caller.requests} times on ${caller.days} days, last ${time(caller.last_seen_seconds_ago)} ago`;
    const byHand = caller.by_hand ? [element('span', 'bad', 'Turned away now by a rule made by hand: '), strange(caller.by_hand.replace(/, \d+ min left$/, ''))] : [];
    const rule = caller.rule ? [element('pre', '', caller.rule.trim())] : byHand;
    return element('li', '', element('strong', '', caller.method), strange(caller.path), element('span', 'soft', `from ${caller.network}, ${times}`), ...rule);
  }));
}
