import type en from '../languages/en.json';

/** Every word of a language, by key; what is seldom said is there once it was fetched. */
export type Words = Omit<typeof en, 'reviewed'> & {
  /** As in `<html lang>`. */
  tag: string;
  /** The file with everything that the page says. */
  more: string;
};

/** Made by the build from `languages/*.json`, a file for each language. */
export declare const WORDS: Words;
