/** As in `data-…` of an element, without `data-`. Callbacks are functions or the names of global ones. */
export interface WidgetOptions {
  /** The public key that the verifier's configuration has as `[[site_key]]`. */
  sitekey?: string;
  /** At most 32 characters; `siteverify` says it again. */
  action?: string;
  /** At most 255 characters; `siteverify` says it again. */
  cdata?: string;
  /** Gets the token. */
  callback?: string | ((token: string) => void);
  /** The token is too old to be sent. */
  'expired-callback'?: string | (() => void);
  /**
   * Gets a code of the verifier's, or `network`, `no_progress`, `unknown`. Something true in return means that it was dealt with;
   * else there is a warning in the console.
   */
  'error-callback'?: string | ((code: string) => unknown);
  /** This browser cannot calculate; `error-callback` has been called with `no_progress`. */
  'unsupported-callback'?: string | (() => void);
  /** By default as the system has it. */
  theme?: 'light' | 'dark' | 'auto';
  /** `invisible` is seen only when something went wrong. */
  size?: 'normal' | 'compact' | 'flexible' | 'invisible';
  /** `interaction-only` is seen only when something went wrong, `execute` once it has begun. */
  appearance?: 'always' | 'execute' | 'interaction-only';
  /** A language tag; by default that of the page around the element. */
  language?: string;
  /** Of the hidden field; by default `portcullis-response`. */
  'response-field-name'?: string;
  /** `false` for no hidden field. */
  'response-field'?: boolean | 'true' | 'false';
  /** `execute` waits for a call of that name. */
  execution?: 'render' | 'execute';
  /** `manual` and `never` leave it to the visitor, or to `reset`, to get a new token. */
  'refresh-expired'?: 'auto' | 'manual' | 'never';
  /**
   * `auto` tries again by itself after an error that may pass, twelve times in a row, while somebody looks at the page. By default
   * `never`, and in the place of Turnstile `auto`.
   */
  retry?: 'auto' | 'never';
  /** Milliseconds until then, below 900,000; by default 8,000. */
  'retry-interval'?: number | string;
  /** As `cdata`. */
  cData?: string;
  /** Taken and never called: there is nothing that a visitor has to do, and so nothing to be done in time. */
  'before-interactive-callback'?: string | (() => void);
  'after-interactive-callback'?: string | (() => void);
  'timeout-callback'?: string | (() => void);
  /** Taken without effect. */
  'refresh-timeout'?: 'auto' | 'manual' | 'never';
  'feedback-enabled'?: boolean | 'true' | 'false';
  tabindex?: number | string;
}

/** A widget: the id that `render` gave, its element, or a selector of that; nothing for the first one. */
export type WidgetChoice = string | HTMLElement;

/** The global `portcullis`; with `?compat=turnstile` also `turnstile`. */
export interface Portcullis {
  /**
   * Puts a widget into an element; in the place of the one that is there.
   *
   * @returns the widget's id
   * @throws TypeError where there is no such element
   */
  render(place: WidgetChoice, options?: WidgetOptions): string;
  /** Forgets the token, and begins anew. */
  reset(which?: WidgetChoice): void;
  /** The token, while there is a good one; else nothing or an empty text. */
  getResponse(which?: WidgetChoice): string | undefined;
  /** Takes the widget and its hidden field away. */
  remove(which?: WidgetChoice): void;
  /** Begins, where `execution` is `execute`; with options also in an element that has no widget yet. */
  execute(which?: WidgetChoice, options?: WidgetOptions): void;
  /** Whether there was a token that is too old by now. */
  isExpired(which?: WidgetChoice): boolean;
  /** Calls back once the page is there. */
  ready(callback: () => void): void;
}

/** What `portcullis-solved`, `portcullis-expired` and `portcullis-error` bring; they bubble from the widget's element. */
export type PortcullisEvent = CustomEvent<string | undefined>;

declare global {
  var portcullis: Portcullis;
  /** With `?compat=turnstile` alone. It takes the place of the types of that service, which declare it too. */
  var turnstile: Portcullis;

  interface HTMLElementEventMap {
    'portcullis-solved': CustomEvent<string>;
    'portcullis-expired': CustomEvent<undefined>;
    'portcullis-error': CustomEvent<string>;
  }
}
