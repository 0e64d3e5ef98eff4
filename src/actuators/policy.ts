/**
 * The question that policies answer, as the gateway asks it, and the port behind which
 * they are. How policies are written and evaluated is not known here.
 */

/** Who wants something: an actor of a run. */
export interface PolicyPrincipal {
  readonly run: string;
  readonly actor: string;
  readonly kind: string;
  readonly name: string;
  readonly pipeline: string;
  /** Rank of its clearance from 0, and the name of the level. */
  readonly clearance: number;
  readonly level: string;
  readonly operations: readonly string[];
}

/** What it is done to. */
export type PolicyResource =
  | { readonly type: 'Actuator'; readonly id: string }
  | { readonly type: 'File'; readonly path: string }
  | { readonly type: 'Document'; readonly id: string }
  | {
      readonly type: 'Host';
      readonly host: string;
      readonly port: number;
      readonly scheme: string;
      readonly path: string;
    };

export interface PolicyContext {
  readonly effect: string;
  /** Rank of the label from 0, and its name. */
  readonly label: number;
  readonly labelName: string;
  readonly model?: string;
  readonly privacy?: string;
  readonly method?: string;
  readonly egress?: 'granted' | 'none' | 'asked';
  readonly grant?: string;
}

export interface PolicyRequest {
  readonly principal: PolicyPrincipal;
  /** Such as `file.read`. */
  readonly action: string;
  readonly resource: PolicyResource;
  readonly context: PolicyContext;
}

export interface PolicyDecision {
  readonly allow: boolean;
  /** Ids of the policies that decided; empty where none permits. */
  readonly policies: readonly string[];
  /** Policies that could not be evaluated, which deny. */
  readonly errors: readonly string[];
}

export interface PolicyPort {
  /** Never throws: what cannot be decided is denied. */
  decide(request: PolicyRequest): PolicyDecision;
}

const portOf: Readonly<Record<string, number>> = { 'http:': 80, 'https:': 443 };

/** What an operation is done to, by its arguments; a request without an address has an empty one. */
export function resourceOf(
  actuator: string,
  given: Readonly<Record<string, unknown>>,
): PolicyResource {
  switch (actuator) {
    case 'file':
      return { type: 'File', path: typeof given.path === 'string' ? given.path : '.' };
    case 'blobs': {
      const hashes = Array.isArray(given.hashes) ? given.hashes : [];
      const [only] = hashes;
      return { type: 'Document', id: hashes.length === 1 ? String(only) : 'several' };
    }
    case 'http':
      return hostOf(String(given.url ?? ''));
    default:
      return { type: 'Actuator', id: actuator };
  }
}

/** @param url Absolute; of what is none nothing is known. */
export function hostOf(url: string): PolicyResource {
  if (!URL.canParse(url)) return { type: 'Host', host: '', port: 0, scheme: '', path: '' };
  const { hostname, port, protocol, pathname } = new URL(url);
  const scheme = protocol.slice(0, -1);
  const number = port === '' ? (portOf[protocol] ?? 0) : Number(port);
  return { type: 'Host', host: hostname, port: number, scheme, path: pathname };
}
