/** Not the memory of many small buffers, which Node keeps in common. */
const SHARED = 64 * 1024;

/** Gives the memory that `bytes` lie in back at once: left to the collector, what large buffers leave would pile up to a hundred megabytes a thread. */
export function released(bytes: Uint8Array): void {
  const { buffer } = bytes;
  if (buffer instanceof ArrayBuffer && buffer.byteLength > SHARED) buffer.transfer(0);
}
