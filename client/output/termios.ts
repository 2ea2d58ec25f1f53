/** The terminal's own settings, by the C library: Node's raw mode goes on turning every newline of the output into two bytes. */
import { CallError, checked } from "../../proto/tree/native/call-error.ts";
import { cFunction } from "../../proto/tree/native/library.ts";

const tcgetattr = cFunction("int tcgetattr(int fd, uint8_t *termios)");
const tcsetattr = cFunction("int tcsetattr(int fd, int when, uint8_t *termios)");
const cfmakeraw = cFunction("void cfmakeraw(uint8_t *termios)");

/** More than struct termios has on any Linux. */
const TERMIOS_BYTES = 256;
/** When all that was written has been sent. */
const TCSADRAIN = 1;

/** Bytes go through a terminal as they are, both ways; gives what puts back the settings that were. */
export function makeRaw(fd: number): () => void {
  const before = Buffer.alloc(TERMIOS_BYTES);
  checked("tcgetattr", tcgetattr(fd, before));
  const raw = Buffer.from(before);
  cfmakeraw(raw);
  checked("tcsetattr", tcsetattr(fd, TCSADRAIN, raw));
  return () => {
    try {
      checked("tcsetattr", tcsetattr(fd, TCSADRAIN, before));
    } catch (error) {
      // A terminal that has gone has no settings.
      if (!(error instanceof CallError)) throw error;
    }
  };
}
