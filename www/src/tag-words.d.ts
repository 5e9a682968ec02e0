import type en from '../languages/en.json';

/** Every word of the script tag in one language: of its note, of forms and of widgets. */
export type TagWords = Pick<
  typeof en,
  | 'direction'
  | 'failure'
  | 'progress_name'
  | 'retry'
  | 'tag_note'
  | 'tag_busy'
  | 'tag_cookies'
  | 'tag_form_cookies'
  | 'tag_lost'
  | 'tag_close'
  | 'widget_name'
  | 'widget_idle'
  | 'widget_working'
  | 'widget_done'
  | 'widget_expired'
  | 'widget_failed'
  | 'widget_not_sent'
>;

/** Made by the build from `languages/*.json`: the English ones, and for each language the file with its own. */
export declare const ENGLISH_WORDS: TagWords;
export declare const TAG_LANGUAGES: Record<string, string>;
