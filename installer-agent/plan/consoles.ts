/** A serial line as GRUB is told of it. */
export interface SerialConsole {
  readonly unit: number;
  readonly speed: number;
}

/** The `console=` words of a kernel's command line, in order, without those that are no word of printable ASCII. */
export function consoleWords(commandLine: string): readonly string[] {
  return commandLine.split(/\s+/).filter((word) => /^console=[!-~]{1,64}$/.test(word));
}

/** The last serial console among `words`: `console=ttyS1,115200n8` is unit 1. */
export function serialConsole(words: readonly string[]): SerialConsole | undefined {
  const found = words.map((word) => /^console=ttyS([0-9])(?:,([0-9]{3,7})|$)/.exec(word));
  const last = found.findLast((match) => match !== null);
  return last == null ? undefined : { unit: Number(last[1]), speed: Number(last[2] ?? 9600) };
}
