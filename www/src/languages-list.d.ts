/** Made by the build: for each language its own name and the file with its words. */
export declare const LANGUAGES: Record<string, [name: string, file: string]>;
