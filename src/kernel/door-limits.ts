/** The bounds of the API's door, a part of `limits`: who may ask, how often, and how slowly. */

const KiB = 1024;

export const doorLimits = {
  /** Tokens that open the API, and the file that lists them. */
  accessTokensMax: 256,
  accessFileBytesMax: 256 * KiB,
  /** How long a change of that file waits for another one. */
  accessLockWaitMsMax: 2_000,
  /** Longest life of a token that is given one. */
  accessLifeDaysMax: 3_650,
  /** Names, beside those of loopback, that the API may be called by. */
  allowedHostsMax: 64,
  /** Requests of one token or address in a minute, and refused tokens of one address, unless set. */
  apiRequestsPerMinute: 6_000,
  apiFailuresPerMinute: 30,
  /** Tokens and addresses whose rate is remembered. */
  apiClientsRememberedMax: 5_000,
  /** TCP connections of the API, WebSockets among them, and those of one token or address. */
  apiConnectionsMax: 2_048,
  apiSocketsMax: 1_024,
  apiSocketsPerClientMax: 256,
  /** Time in which the headers, and the whole of a request, must have arrived. */
  apiHeadersMsMax: 5_000,
  apiRequestMsMax: 60_000,
  /** A silent connection is probed from so long on, so that a client that vanished gives its place back. */
  apiKeepAliveMs: 30_000,
  /** Interval at which the tokens of open WebSockets are looked up again. */
  socketRightsMs: 1_000,
  /** Refusals are reported once for each kind, and then counted for so long; kinds that are told apart. */
  refusalWindowMs: 10_000,
  refusalKindsMax: 64,
} as const;
