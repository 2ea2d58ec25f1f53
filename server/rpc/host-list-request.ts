import type { ListHostsRequest } from "../../proto/gen/hps/v1/host_pb.ts";
import { HpsError } from "../../proto/values/hps-error.ts";
import { quote } from "../../proto/values/safe-text.ts";
import { parseHostFilter } from "../core/hosts/host-filter.ts";
import type { Hosts } from "../core/hosts/hosts.ts";
import type { VisibleClusters } from "../core/identity/access.ts";
import { type ListOf, pageLimit, pageStart } from "./paging.ts";

type HostQuery = Parameters<Hosts["list"]>[0];
type HostOrder = HostQuery["order"];

const ORDERS = ["name", "create_time", "state"] as const;

/** The values a host is sorted by, in each order. */
const KEY_SHAPES = {
  name: ["string", "string"],
  create_time: ["number", "string"],
  state: ["string", "string", "string"],
} as const satisfies Record<HostOrder, readonly ("string" | "number")[]>;

/** Which list a token of this request is of. */
export function hostListOf({ cluster, filter, orderBy }: ListHostsRequest): ListOf {
  return ["hosts", cluster, filter, orderBy];
}

export function hostQueryOf(request: ListHostsRequest, clusters: VisibleClusters): HostQuery {
  const { order, descending } = orderOf(request.orderBy);
  const after = pageStart(request, hostListOf(request), KEY_SHAPES[order]);
  const terms = parseHostFilter(request.filter);
  return { clusters, terms, order, descending, limit: pageLimit(request), ...(after && { after }) };
}

function orderOf(text: string): { readonly order: HostOrder; readonly descending: boolean } {
  const [word, direction, ...rest] = text === "" ? ["name"] : text.trim().split(/\s+/);
  const order = ORDERS.find((candidate) => candidate === word);
  const known = direction === undefined || direction === "asc" || direction === "desc";
  if (order === undefined || !known || rest.length > 0) {
    throw new HpsError("invalid", `hosts cannot be sorted by ${quote(text)}`, {
      hint: `use one of ${ORDERS.join(", ")}, with " desc" for the other way round`,
    });
  }
  return { order, descending: direction === "desc" };
}
