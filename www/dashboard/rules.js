import { confirm } from './confirm.js';
import { short, time } from './numbers.js';
import { button, element, input, part, strange, write } from './parts.js';

/** How long a rule or a price lasts, in minutes. */
const LASTS = /** @type {[number, string][]} */ ([[15, '15 minutes'], [60, '1 hour'], [360, '6 hours'], [1440, '1 day'], [10080, '1 week']]);
const LASTS_DEFAULT = 60;
/** Bytes after which the verifier cuts a path. */
const PATH_BYTES_MAX = 94;

/**
 * What a rule is about.
 *
 * @typedef {object} Subject
 * @property {string} [network]
 * @property {string} [path]
 * @property {string} [site]
 */

/**
 * A choice with its name.
 *
 * @param {string} label
 * @param {[string | number, string][]} choices
 * @param {string | number} chosen
 * @returns {[HTMLElement, HTMLSelectElement]} the choice in its label, and the choice
 */
function choice(label, choices, chosen) {
  const select = /** @type {HTMLSelectElement} */ (element('select'));
  for (const [value, name] of choices) {
    const option = element('option', '', name);
    option.setAttribute('value', String(value));
    select.append(option);
  }
  select.value = String(chosen);
  return [element('label', '', label, select), select];
}

/**
 * Whether a path, as the verifier shows it, names exactly what was asked for when it stands in a rule.
 *
 * @param {string} path
 * @returns {boolean}
 */
export function isPlainPath(path) {
  return /^\/[!-~]*$/.test(path) && !/[*?%[\]{}\\;]/.test(path) && path.length < PATH_BYTES_MAX;
}

/**
 * Asks which rule is wanted, and makes it.
 *
 * @param {Subject} subject
 */
export function askForRule(subject) {
  const [actionPart, action] = choice('What happens', [['deny', 'Deny: refused (403), in every mode'], ['challenge', 'Challenge: asked for work at all times']], 'deny');
  const [lastsPart, lasts] = choice('For', LASTS, LASTS_DEFAULT);
  const told = [subject.path ?? 'every path', ...(subject.network ? [`from ${subject.network}`] : []), ...(subject.site ? [`on ${subject.site}`] : [])].join(' ');
  confirm({
    title: 'Make this rule?',
    text: `For requests for ${told}. ${subject.network ? 'Everybody behind this network meets it.' : 'Every visitor of this path meets it.'}`,
    yes: 'Make the rule',
    more: [element('div', 'row', actionPart, lastsPart)],
    request: () => ['/rules', { ...subject, action: action.value, minutes: Number(lasts.value) }],
  });
}

/** @param {any} rule */
function revokeRule(rule) {
  confirm({
    title: 'Take this rule away?',
    text: ruleText(rule),
    yes: 'Take it away',
    request: () => ['/rules/revoke', { number: rule.number }],
  });
}

/**
 * @param {any} rule
 * @returns {string}
 */
function ruleText(rule) {
  const about = [rule.path ?? 'every path', ...(rule.network ? [`from ${rule.network}`] : []), ...(rule.site ? [`on ${rule.site}`] : [])];
  return `${rule.action === 'deny' ? 'Deny' : 'Challenge'} ${about.join(' ')}`;
}

/** The lines that are shown, by the numbers of their rules: a button that has the focus stays. */
const lines = /** @type {Map<number, {line: HTMLElement, left: HTMLElement}>} */ (new Map());

/** @param {any} status */
export function showRules(status) {
  const rules = status.rules_by_hand;
  for (const [number, { line }] of lines) {
    if (!rules.some((/** @type {any} */ rule) => rule.number === number)) {
      line.remove();
      lines.delete(number);
    }
  }
  for (const rule of rules) {
    let known = lines.get(rule.number);
    if (!known) {
      const left = element('span', 'soft');
      const line = element('li', '', strange(ruleText(rule)), left, button('Take away…', () => revokeRule(rule), `Take away: ${ruleText(rule)}`));
      known = { line, left };
      lines.set(rule.number, known);
      part('rules').append(line);
    }
    write(known.left, `${time(rule.expires_in)} left`);
  }
  let none = document.getElementById('rules-none');
  if (!none) {
    none = element('li', 'soft', 'There are none.');
    none.id = 'rules-none';
    part('rules').prepend(none);
  }
  none.hidden = rules.length > 0;
}

/** @param {any} of the site */
export function showPin(of) {
  const pin = of.price_pin;
  write(part('pin-told'), pin ? `Held by hand at ${short(pin.price)} attempts while the gate is down, for ${time(pin.expires_in)} more.` : 'The load sets it.');
  part('pin-free').hidden = !pin;
}

/**
 * Makes the forms for rules and prices work; once.
 *
 * @param {() => string} site the one that is shown
 */
export function beginRules(site) {
  part('rule-form').addEventListener('submit', (event) => {
    event.preventDefault();
    const [network, path] = [input('rule-network').value.trim(), input('rule-path').value.trim()];
    askForRule({ ...(network ? { network } : {}), ...(path ? { path } : {}) });
  });
  part('pin-form').addEventListener('submit', (event) => {
    event.preventDefault();
    const price = Number(input('pin-price').value);
    const [lastsPart, lasts] = choice('For', LASTS, LASTS_DEFAULT);
    confirm({
      title: `Hold the price of ${site()} at ${short(price)} attempts?`,
      text: 'It is asked while the gate is down, whatever the load says, and no longer than you choose.',
      yes: 'Hold it',
      more: [lastsPart],
      request: () => ['/price', { site: site(), price, minutes: Number(lasts.value) }],
    });
  });
  part('pin-free').addEventListener('click', () => confirm({
    title: `Let the load set the price of ${site()} again?`,
    text: 'It begins where the load has brought it meanwhile.',
    yes: 'Let the load set it',
    request: () => ['/price', { site: site(), price: null }],
  }));
}
