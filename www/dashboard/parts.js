/**
 * The element of this id.
 *
 * @param {string} id
 * @returns {HTMLElement}
 */
export function part(id) {
  return /** @type {HTMLElement} */ (document.getElementById(id));
}

/**
 * @param {string} id
 * @returns {HTMLInputElement}
 */
export function input(id) {
  return /** @type {HTMLInputElement} */ (document.getElementById(id));
}

/**
 * Writes text where it differs: what has not changed is not announced again.
 *
 * @param {Node} node
 * @param {string} text
 */
export function write(node, text) {
  if (node.textContent !== text) {
    node.textContent = text;
  }
}

/**
 * A new element with these children. Text only: what strangers wrote never becomes markup.
 *
 * @param {string} name
 * @param {string} className
 * @param {(Node | string)[]} children
 * @returns {HTMLElement}
 */
export function element(name, className = '', ...children) {
  const made = document.createElement(name);
  if (className) {
    made.className = className;
  }
  made.append(...children);
  return made;
}

/**
 * A button.
 *
 * @param {string} text
 * @param {() => void} press
 * @param {string} [label] what it is called where its text alone does not say
 * @returns {HTMLElement}
 */
export function button(text, press, label) {
  const made = element('button', 'quiet', text);
  made.setAttribute('type', 'button');
  if (label) {
    made.setAttribute('aria-label', label);
  }
  made.addEventListener('click', press);
  return made;
}

/**
 * What a stranger wrote, kept from turning the line around.
 *
 * @param {string} text
 * @returns {HTMLElement}
 */
export function strange(text) {
  return element('bdi', 'name', text === '' ? '(none)' : text);
}
