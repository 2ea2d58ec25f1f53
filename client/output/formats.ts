/** What `-o` takes. Apart from `print.ts`, so that the command line is read without loading it. */
export const FORMATS = ["table", "wide", "json", "yaml", "name"] as const;
export type Format = (typeof FORMATS)[number];
