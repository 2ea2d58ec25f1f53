/** The documents of a container image, as far as its file tree needs them. */
import { z } from "zod";

/** A digest of which we can check what it says. */
const digest = z
  .string()
  .regex(/^(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/, "is no SHA-256 or SHA-512 such as sha256:1f2e…");

const platform = z.looseObject({
  architecture: z.string(),
  os: z.string(),
  variant: z.string().optional(),
});

const descriptor = z.looseObject({
  mediaType: z.string().default(""),
  digest,
  size: z.int().nonnegative(),
  platform: platform.optional(),
  annotations: z.record(z.string(), z.string()).nullish(),
});

export type Descriptor = z.output<typeof descriptor>;

/** index.json, and what it may lead to. */
export const INDEX = z.looseObject({
  schemaVersion: z.literal(2),
  manifests: z.array(descriptor).max(10_000),
});

export const MANIFEST = z.looseObject({
  schemaVersion: z.literal(2),
  config: descriptor,
  layers: z.array(descriptor).max(10_000),
});

export const CONFIG = z.looseObject({
  architecture: z.string().default(""),
  os: z.string().default(""),
  variant: z.string().optional(),
});

/** manifest.json of `docker save`. */
export const DOCKER_MANIFEST = z
  .array(
    z.looseObject({
      Config: z.string(),
      RepoTags: z.array(z.string()).nullish(),
      Layers: z.array(z.string()).max(10_000),
    }),
  )
  .max(10_000);

/** Digests of the layers, uncompressed. */
export const DOCKER_CONFIG = CONFIG.extend({
  rootfs: z.looseObject({ diff_ids: z.array(digest) }),
});
