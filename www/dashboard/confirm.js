import { element, input, part, write } from './parts.js';
import { ask, keepToken, token } from './session.js';

/**
 * What is going to be done.
 *
 * @typedef {object} Change
 * @property {string} title
 * @property {string} text what it means
 * @property {string} yes what the button says
 * @property {Node[]} [more] further fields
 * @property {() => [string, object]} request where it goes, and its body, when the button is pressed
 * @property {(answer: any) => Node[] | void} [done] what is said of it; nothing closes the dialog
 */

let change = /** @type {Change | undefined} */ (undefined);

function dialog() {
  return /** @type {HTMLDialogElement} */ (part('confirm'));
}

/**
 * Asks whether a change is wanted, and makes it when it is.
 *
 * @param {Change} wanted
 */
export function confirm(wanted) {
  change = wanted;
  write(part('confirm-title'), wanted.title);
  write(part('confirm-text'), wanted.text);
  write(part('confirm-yes'), wanted.yes);
  write(part('confirm-no'), 'Leave it as it is');
  write(part('confirm-error'), '');
  part('confirm-yes').hidden = false;
  part('confirm-more').replaceChildren(...(wanted.more ?? []));
  part('confirm-token-part').hidden = token() !== '';
  dialog().showModal();
}

async function agreed() {
  const wanted = change;
  if (!wanted || part('confirm-yes').hidden) {
    return;
  }
  const typed = input('confirm-token').value.trim();
  if (typed) {
    keepToken(typed);
    input('confirm-token').value = '';
  }
  const yes = /** @type {HTMLButtonElement} */ (part('confirm-yes'));
  yes.disabled = true;
  write(part('confirm-error'), '');
  const { ok, status, body } = await ask(...wanted.request());
  yes.disabled = false;
  if (status === 401) {
    keepToken('');
    part('confirm-token-part').hidden = false;
    write(part('confirm-error'), typed ? 'This is not the token.' : 'The token is needed for this.');
    input('confirm-token').focus();
    return;
  }
  if (!ok) {
    write(part('confirm-error'), `It was refused: ${body?.error ?? 'no reason given'}.`);
    return;
  }
  const said = wanted.done?.(body);
  if (!said) {
    dialog().close();
    return;
  }
  part('confirm-token-part').hidden = true;
  part('confirm-yes').hidden = true;
  write(part('confirm-text'), '');
  part('confirm-more').replaceChildren(...said);
  write(part('confirm-no'), 'Close');
}

/** Makes the dialog work; once. */
export function beginConfirming() {
  part('confirm-form').addEventListener('submit', (event) => {
    event.preventDefault();
    agreed();
  });
  part('confirm-no').addEventListener('click', () => dialog().close());
}

/**
 * A line that can be copied.
 *
 * @param {string} label
 * @param {string} text
 * @returns {Node}
 */
export function copyable(label, text) {
  const field = /** @type {HTMLInputElement} */ (element('input'));
  field.readOnly = true;
  field.value = text;
  field.addEventListener('focus', () => field.select());
  return element('label', '', label, field);
}
