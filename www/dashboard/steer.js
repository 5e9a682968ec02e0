import { confirm, copyable } from './confirm.js';
import { button, element, input, part, write } from './parts.js';
import { time } from './numbers.js';
import { ask } from './session.js';

/** @type {Record<string, [string, string]>} */
const MODES = {
  off: ['Nothing is asked of anybody; only rules that deny act.', 'Every request goes to the site, whatever comes. Only rules that deny act.'],
  auto: ['The price follows the load: nothing is asked while the site can keep up.', 'The gate goes down when the site is overloaded, and lets go by itself.'],
  on: ['The gate is down: every visitor solves a puzzle first.', 'Every visitor solves a puzzle first, from now on and until you change the mode.'],
};

/** Makes the mode's buttons work; once. */
export function beginMode() {
  for (const choice of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll('[data-mode]'))) {
    const mode = choice.dataset.mode ?? '';
    choice.addEventListener('click', () => confirm({
      title: `Set the mode to “${mode}”?`,
      text: MODES[mode]?.[1] ?? '',
      yes: `Set mode ${mode}`,
      request: () => ['/mode', { mode }],
    }));
  }
}

/** @param {any} status */
export function showMode(status) {
  for (const choice of document.querySelectorAll('[data-mode]')) {
    choice.setAttribute('aria-pressed', String(choice.getAttribute('data-mode') === status.mode));
  }
  const own = status.sites.filter((/** @type {any} */ site) => site.mode !== status.mode).map((/** @type {any} */ site) => `${site.name}: ${site.mode}`);
  write(part('mode-told'), `${MODES[status.mode]?.[0] ?? ''}${own.length ? ` By the configuration another one holds for ${own.join(', ')}.` : ''}`);
}

/**
 * Makes the form for passes work; once.
 *
 * @param {() => string} site the one that is shown
 */
export function beginPasses(site) {
  part('pass-form').addEventListener('submit', (event) => {
    event.preventDefault();
    const name = input('pass-name').value.trim();
    const hours = Number(input('pass-hours').value);
    confirm({
      title: `Make a pass for “${name}”?`,
      text: `Whoever has its link keeps working on ${site()} for ${hours} h while the gate is down, on a few devices.`,
      yes: 'Make the pass',
      request: () => ['/passes', { name, hours, site: site() }],
      done: (made) => {
        input('pass-name').value = '';
        showPasses();
        const kept = made.kept ? '' : ' It ends with a restart of the verifier: nothing keeps it.';
        return [
          copyable('The link. It is shown once and kept nowhere.', `${made.address ?? 'https://SITE'}${made.path}`),
          element('p', 'soft', `Open it on the colleague’s device. At most ${made.devices_max} devices.${kept}`),
        ];
      },
    });
  });
}

/** Asks for the passes and lists them. */
export async function showPasses() {
  const { ok, body } = await ask('/passes');
  if (!ok) {
    return;
  }
  const lines = body.passes.map((/** @type {any} */ pass) => {
    const revoke = button('Revoke…', () => confirm({
      title: `Revoke the pass “${pass.name}”?`,
      text: 'Its devices pass as everybody does, from now on.',
      yes: 'Revoke it',
      request: () => ['/passes/revoke', { name: pass.name }],
      done: () => void showPasses(),
    }), `Revoke the pass ${pass.name}`);
    return element('li', '', element('strong', '', element('bdi', '', pass.name)), element('span', 'soft', `site ${pass.site}, ${time(pass.expires_in)} left, devices ${pass.devices}`), revoke);
  });
  part('passes').replaceChildren(...(lines.length ? lines : [element('li', 'soft', 'There are none.')]));
}
