import { open, rename } from "node:fs/promises";
import path from "node:path";

/** Makes the names in a folder durable. */
export async function syncFolder(folder: string): Promise<void> {
  await using handle = await open(folder, "r");
  await handle.sync();
}

/** Puts what is durable under another name, over what was there; after this a power cut finds it. */
export async function renameDurably(from: string, to: string): Promise<void> {
  await rename(from, to);
  await syncFolder(path.dirname(to));
}

/** A small file, whole and durable, or as it was. */
export async function replaceFile(file: string, text: string): Promise<void> {
  const made = `${file}.partial`;
  {
    await using handle = await open(made, "w", 0o600);
    await handle.writeFile(text);
    await handle.sync();
  }
  await renameDurably(made, file);
}
