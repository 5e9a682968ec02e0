import { element, write } from './parts.js';

const SVG = 'http://www.w3.org/2000/svg';
/** What is shown, in seconds. */
const SHOWN_SECONDS = 600;
/** Room for the numbers at the side and the times below, in pixels. */
const LEFT_PX = 44;
const BELOW_PX = 20;
const HEIGHT_PX = 176;
/** Room for the name of a bar. */
const NAME_PX = 36;

/**
 * A line of a chart.
 *
 * @typedef {object} Curve
 * @property {string} column where its numbers are
 * @property {string} name
 * @property {string} look classes: `a` to `e` for the colour, `dashes`, `dots`
 * @property {number} [times] what its numbers are multiplied by
 */

/**
 * What a second holds, by column.
 *
 * @typedef {Record<string, number | null>} Second
 */

/**
 * @param {string} name
 * @param {Record<string, string | number>} attributes
 * @param {(Node | string)[]} children
 * @returns {SVGElement}
 */
export function drawn(name, attributes, ...children) {
  const made = /** @type {SVGElement} */ (document.createElementNS(SVG, name));
  for (const [key, value] of Object.entries(attributes)) {
    made.setAttribute(key, String(value));
  }
  made.append(...children);
  return made;
}

/**
 * A round number at or above `most`.
 *
 * @param {number} most
 * @returns {number}
 */
function roundUp(most) {
  if (!(most > 0)) {
    return 1;
  }
  const power = 10 ** Math.floor(Math.log10(most));
  return [1, 2, 4, 5, 10].map((step) => step * power).find((step) => step >= most * 0.999) ?? most;
}

/** Lines over the last minutes, with a legend that says their newest values in words. */
export class LineChart {
  #svg = drawn('svg', { role: 'img' });
  #values = /** @type {HTMLElement[]} */ ([]);
  #curves;
  #told;
  #title;

  /**
   * @param {HTMLElement} place
   * @param {string} title
   * @param {Curve[]} curves
   * @param {(number: number | null) => string} told how a number is written
   */
  constructor(place, title, curves, told) {
    this.#curves = curves;
    this.#told = told;
    this.#title = title;
    const legend = element('ul', 'legend');
    for (const curve of curves) {
      const value = element('span');
      this.#values.push(value);
      const sample = drawn('svg', { viewBox: '0 0 28 8', 'aria-hidden': 'true' }, drawn('path', { class: `curve ${curve.look}`, d: 'M0 4H28' }));
      legend.append(element('li', '', sample, `${curve.name} `, value));
    }
    place.append(this.#svg, legend);
  }

  /** @param {Second[]} seconds */
  draw(seconds) {
    const newest = seconds[seconds.length - 1];
    const width = Math.max(this.#svg.clientWidth, 240);
    const numbers = this.#curves.map(({ column, times = 1 }) => seconds.map((second) => (second[column] === null ? null : (second[column] ?? 0) * times)));
    const most = roundUp(numbers.flat().reduce((/** @type {number} */ most, number) => Math.max(most, number ?? 0), 0));
    const end = newest?.at ?? 0;
    const x = (/** @type {number | null} */ at) => LEFT_PX + (1 - (end - (at ?? 0)) / SHOWN_SECONDS) * (width - LEFT_PX);
    const y = (/** @type {number} */ number) => (HEIGHT_PX - BELOW_PX) * (1 - number / most) + 6 * (number / most);
    this.#svg.setAttribute('viewBox', `0 0 ${width} ${HEIGHT_PX}`);
    this.#svg.replaceChildren(
      ...downTimes(seconds, x),
      ...this.#grid(most, y, width),
      ...this.#curves.map(({ look }, place) => drawn('path', { class: `curve ${look}`, d: path(seconds, numbers[place] ?? [], x, y) })),
    );
    const values = numbers.map((of) => this.#told(of[of.length - 1] ?? null));
    values.forEach((value, place) => write(/** @type {Node} */ (this.#values[place]), value));
    const said = this.#curves.map(({ name }, place) => `${name} ${values[place]}`).join(', ');
    this.#svg.setAttribute('aria-label', `${this.#title}, the last ten minutes. Now: ${said}.`);
  }

  /**
   * @param {number} most
   * @param {(number: number) => number} y
   * @param {number} width
   * @returns {Node[]}
   */
  #grid(most, y, width) {
    const lines = [0, 0.5, 1].flatMap((part) => {
      const at = y(part * most);
      return [
        drawn('path', { class: 'grid', d: `M${LEFT_PX} ${at.toFixed(1)}H${width}` }),
        drawn('text', { x: LEFT_PX - 6, y: (at + 4).toFixed(1), 'text-anchor': 'end' }, this.#told(part * most)),
      ];
    });
    const times = [10, 5, 0].map((minutes) => {
      const anchor = minutes === 10 ? 'start' : minutes === 5 ? 'middle' : 'end';
      const at = LEFT_PX + (1 - minutes / 10) * (width - LEFT_PX);
      return drawn('text', { x: at.toFixed(1), y: HEIGHT_PX - 4, 'text-anchor': anchor }, minutes === 0 ? 'now' : `−${minutes} min`);
    });
    return [...lines, ...times];
  }
}

/**
 * A line through what is known, broken where it is not.
 *
 * @param {Second[]} seconds
 * @param {(number | null)[]} numbers
 * @param {(at: number | null) => number} x
 * @param {(number: number) => number} y
 * @returns {string}
 */
function path(seconds, numbers, x, y) {
  let line = '';
  let drawing = false;
  seconds.forEach((second, place) => {
    const number = numbers[place];
    if (number === null || number === undefined) {
      drawing = false;
      return;
    }
    line += `${drawing ? 'L' : 'M'}${x(second.at ?? 0).toFixed(1)} ${y(number).toFixed(1)}`;
    drawing = true;
  });
  return line;
}

/**
 * Where the gate was down.
 *
 * @param {Second[]} seconds
 * @param {(at: number | null) => number} x
 * @returns {Node[]}
 */
function downTimes(seconds, x) {
  const found = /** @type {Node[]} */ ([]);
  let from = /** @type {number | null} */ (null);
  const end = (/** @type {number} */ until) => {
    if (from !== null) {
      found.push(drawn('rect', { class: 'down-time', x: x(from).toFixed(1), y: 0, width: Math.max(x(until) - x(from), 1).toFixed(1), height: HEIGHT_PX - BELOW_PX }));
      from = null;
    }
  };
  for (const second of seconds) {
    if (second.state === 0) {
      end(second.at ?? 0);
    } else {
      from ??= second.at ?? 0;
    }
  }
  end(seconds[seconds.length - 1]?.at ?? 0);
  return found;
}

/** Bars, each with its count and its name below; where they are narrow, every second one or fewer have a name. */
export class BarChart {
  #svg = drawn('svg', { role: 'img' });
  #told = element('p', 'soft');

  /** @param {HTMLElement} place */
  constructor(place) {
    place.append(this.#svg, this.#told);
  }

  /**
   * @param {string[]} names
   * @param {number[]} counts
   * @param {string} said
   */
  draw(names, counts, said) {
    const width = Math.max(this.#svg.clientWidth, 240);
    const most = Math.max(...counts, 1);
    const step = width / counts.length;
    const named = Math.ceil(NAME_PX / step);
    this.#svg.setAttribute('viewBox', `0 0 ${width} ${HEIGHT_PX}`);
    this.#svg.replaceChildren(...counts.flatMap((count, place) => {
      const height = (count / most) * (HEIGHT_PX - 2 * BELOW_PX);
      const middle = ((place + 0.5) * step).toFixed(1);
      return [
        drawn('rect', { class: 'bar', x: (place * step + 2).toFixed(1), y: (HEIGHT_PX - BELOW_PX - height).toFixed(1), width: Math.max(step - 4, 1).toFixed(1), height: height.toFixed(1) }),
        // The last one has a name in any case: it has no end.
        ...((counts.length - 1 - place) % named === 0 ? [drawn('text', { x: middle, y: HEIGHT_PX - 4, 'text-anchor': 'middle' }, names[place] ?? '')] : []),
        ...(count > 0 ? [drawn('text', { x: middle, y: (HEIGHT_PX - BELOW_PX - height - 4).toFixed(1), 'text-anchor': 'middle' }, String(count))] : []),
      ];
    }));
    this.#svg.setAttribute('aria-label', said);
    write(this.#told, said);
  }
}
