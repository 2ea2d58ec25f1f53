import { hash } from "node:crypto";

/** How a one-time token is stored: SHA-256, hex. Its 256 random bits need no salt. */
export function tokenHash(token: string): string {
  return hash("sha256", token, "hex");
}
