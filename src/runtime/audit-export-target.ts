/**
 * Where exported lines go: a file, a syslog receiver or an HTTP receiver.
 *
 * - `/path/of/a/file`, to which lines are added, each batch synced.
 * - `syslog:HOST:PORT`, one datagram of RFC 5424 over UDP for each line, and
 *   `syslog+tcp:HOST:PORT`, the same with the octet counting of RFC 6587. UDP and
 *   plain TCP tell nobody whether a message was taken.
 * - `http://…` or `https://…`, a POST for each batch: CloudEvents as
 *   `application/cloudevents-batch+json`, OCSF as `application/x-ndjson`. A batch was
 *   taken once the answer is 2xx; redirects are refused.
 *
 * A Unix datagram socket such as `/dev/log` cannot be reached: Node.js has none.
 */
import { createSocket } from 'node:dgram';
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { connect } from 'node:net';
import { hostname } from 'node:os';
import { isAbsolute } from 'node:path';
import { RuntimeError } from '../kernel/errors.ts';
import { limits } from '../kernel/limits.ts';
import type { AuditFormat } from './audit-export-format.ts';

/** A line, and what syslog says of it beside. */
export interface ExportLine {
  /** JSON without line feeds. */
  readonly text: string;
  /** Milliseconds since the epoch. */
  readonly timeMs: number;
}

interface SyslogAddress {
  readonly transport: 'udp' | 'tcp';
  readonly host: string;
  readonly port: number;
}

/** Facility 13, log audit; severity 6, informational. */
const syslogPriority = 13 * 8 + 6;

/** What is wrong with the name of a receiver, or null. */
export function exportTargetProblem(to: string): string | null {
  if (to.startsWith('syslog')) {
    return syslogAddress(to) === null
      ? 'syslog:HOST:PORT or syslog+tcp:HOST:PORT is expected'
      : null;
  }
  if (/^https?:/.test(to)) return URL.canParse(to) ? null : 'it is no address';
  return isAbsolute(to)
    ? null
    : 'an absolute path, syslog:HOST:PORT or an http address is expected';
}

/**
 * Sends a batch; resolves once it was taken, as far as the receiver can tell.
 * @throws RuntimeError AUDIT_EXPORT_FAILED
 */
export async function sendLines(
  to: string,
  format: AuditFormat,
  lines: readonly ExportLine[],
  signal: AbortSignal,
): Promise<void> {
  try {
    const address = syslogAddress(to);
    if (address !== null) await sendSyslog(address, lines, signal);
    else if (/^https?:/.test(to)) await post(to, format, lines, signal);
    else await append(to, lines);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new RuntimeError('AUDIT_EXPORT_FAILED', `${to} takes no audit records: ${why}.`, {
      cause,
      retryable: true,
    });
  }
}

function syslogAddress(to: string): SyslogAddress | null {
  const [, tcp, name = '', digits = ''] =
    /^syslog(\+tcp)?:(\[[0-9a-fA-F:]+\]|[^\s:/[\]]+):(\d{1,5})$/.exec(to) ?? [];
  const port = Number(digits);
  if (name === '' || port < 1 || port > 65_535) return null;
  const host = name.replace(/^\[|\]$/g, '');
  return { transport: tcp === undefined ? 'udp' : 'tcp', host, port };
}

async function append(path: string, lines: readonly ExportLine[]): Promise<void> {
  const flags = constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT;
  const file = await open(path, flags, 0o600);
  try {
    await file.appendFile(lines.map(({ text }) => `${text}\n`).join(''));
    await file.datasync();
  } finally {
    await file.close();
  }
}

async function post(
  to: string,
  format: AuditFormat,
  lines: readonly ExportLine[],
  signal: AbortSignal,
): Promise<void> {
  const texts = lines.map(({ text }) => text);
  const [type, body] =
    format === 'cloudevents'
      ? ['application/cloudevents-batch+json', `[${texts.join(',')}]`]
      : ['application/x-ndjson', `${texts.join('\n')}\n`];
  const response = await fetch(to, {
    method: 'POST',
    headers: { 'content-type': type },
    body,
    redirect: 'error',
    signal: AbortSignal.any([signal, AbortSignal.timeout(limits.auditExportMsMax)]),
  });
  await response.body?.cancel();
  if (!response.ok) throw new Error(`it answers with status ${response.status}`);
}

/** One message of RFC 5424. */
function syslogMessage({ text, timeMs }: ExportLine): Buffer {
  const time = new Date(timeMs).toISOString();
  const name =
    hostname()
      .replace(/[^\x21-\x7e]/g, '')
      .slice(0, 255) || '-';
  return Buffer.from(
    `<${syslogPriority}>1 ${time} ${name} openclaw ${process.pid} audit - ${text}`,
  );
}

function sendSyslog(
  address: SyslogAddress,
  lines: readonly ExportLine[],
  signal: AbortSignal,
): Promise<void> {
  const messages = lines.map(syslogMessage);
  return address.transport === 'udp'
    ? sendDatagrams(address, messages)
    : sendStream(address, messages, signal);
}

async function sendDatagrams(
  { host, port }: SyslogAddress,
  messages: readonly Buffer[],
): Promise<void> {
  const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4');
  try {
    for (const message of messages) {
      // A longer one does not fit; its beginning still says what it was.
      const bytes = message.subarray(0, limits.syslogDatagramBytesMax);
      await new Promise<void>((resolve, reject) => {
        socket.once('error', reject);
        socket.send(bytes, port, host, (error) => {
          socket.off('error', reject);
          if (error === null || error === undefined) resolve();
          else reject(error);
        });
      });
    }
  } finally {
    socket.close();
  }
}

function sendStream(
  { host, port }: SyslogAddress,
  messages: readonly Buffer[],
  signal: AbortSignal,
): Promise<void> {
  const frames = messages.flatMap((each) => [Buffer.from(`${each.length} `), each]);
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, signal, timeout: limits.auditExportMsMax });
    socket.once('timeout', () => socket.destroy(new Error('it does not answer')));
    socket.once('error', reject);
    socket.once('connect', () => socket.end(Buffer.concat(frames)));
    socket.resume();
    socket.once('close', (hadError) => {
      if (!hadError) resolve();
    });
  });
}
