/** grpc.health.v1 over whatever knows how the server is doing. */
import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  type Health,
  type HealthCheckResponseSchema,
  HealthCheckResponse_ServingStatus as Serving,
} from "../gen/grpc/health/v1/health_pb.ts";
import { HpsError } from "../values/hps-error.ts";
import type { Handlers } from "./handlers.ts";

/** Whether each service can take calls, by full name; the empty name is the whole server. */
type HealthState = ReadonlyMap<string, boolean>;

export interface HealthSource {
  readonly current: () => HealthState;
  /** Calls back after each change until the returned function is called. */
  readonly subscribe: (onChange: () => void) => () => void;
}

type Answer = MessageInitShape<typeof HealthCheckResponseSchema>;

export function healthHandlers(source: HealthSource): Handlers<typeof Health> {
  return {
    check: async ({ service }) => {
      const state = source.current().get(service);
      if (state === undefined) {
        throw new HpsError("not-found", "this server has no such service");
      }
      return answerOf(state);
    },
    list: async () => {
      const entries = [...source.current()].map(([name, state]) => [name, answerOf(state)] as const);
      return { statuses: Object.fromEntries(entries) };
    },
    watch: ({ service }, { signal }) => watch(source, service, signal),
  };
}

/** Changes that follow each other faster than the peer reads are told as the last of them. */
async function* watch(source: HealthSource, service: string, signal: AbortSignal): AsyncGenerator<Answer, void> {
  let changed = Promise.withResolvers<void>();
  const wake = () => changed.resolve();
  const unsubscribe = source.subscribe(wake);
  signal.addEventListener("abort", wake, { once: true });
  try {
    for (let told: Serving | undefined; !signal.aborted; ) {
      const { status } = answerOf(source.current().get(service));
      if (status !== told) {
        told = status;
        yield { status };
      }
      await changed.promise;
      changed = Promise.withResolvers();
    }
  } finally {
    unsubscribe();
  }
}

function answerOf(state: boolean | undefined): { readonly status: Serving } {
  if (state === undefined) {
    return { status: Serving.SERVICE_UNKNOWN };
  }
  return { status: state ? Serving.SERVING : Serving.NOT_SERVING };
}
