/** Its own types bring the browser's along, which a server does not have. */
declare module "@xterm/addon-serialize/lib/addon-serialize.js" {
  interface SerializeAddon {
    activate(terminal: unknown): void;
    dispose(): void;
    /** What draws the terminal's screen, and so many lines above it. */
    serialize(options: { readonly scrollback: number }): string;
  }
  const addon: { readonly SerializeAddon: new () => SerializeAddon };

  export = addon;
}
