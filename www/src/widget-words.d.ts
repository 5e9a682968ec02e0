import type en from '../languages/en.json';

/** Every word of a widget in one language. */
export type WidgetWords = Pick<
  typeof en,
  | 'direction'
  | 'progress_name'
  | 'retry'
  | 'widget_name'
  | 'widget_idle'
  | 'widget_working'
  | 'widget_done'
  | 'widget_expired'
  | 'widget_failed'
  | 'widget_not_sent'
>;

/** Made by the build from `languages/*.json`: the English ones, and for each language the file with its own. */
export declare const ENGLISH_WORDS: WidgetWords;
export declare const WIDGET_LANGUAGES: Record<string, string>;
