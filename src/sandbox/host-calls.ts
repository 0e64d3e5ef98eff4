/**
 * Answers the calls of one script: its file system and the tools that it is
 * granted. The other side may be hostile, so nothing of a call is believed.
 *
 * Invariants
 *   H1. Calls are carried out in the order in which they come, and answered in
 *       that order: how the promises of a script interleave does not depend on
 *       how fast anything was.
 *   H2. A call that the guest code cannot have made (a number that is not the
 *       next, too many, too many at once, too many bytes) is a violation, and
 *       nothing after it is carried out.
 *   H3. The event loop of the runtime is given back at least every
 *       `limits.sandboxCallTurnMs`; no single call takes long, because its
 *       bytes and entries are bounded.
 *   H4. After `close` nothing is carried out and nothing is answered.
 *   H5. What files a script leaves does not depend on when it ended: each file call
 *       that came before its end is carried out.
 */
import { z } from 'zod';
import { findNonJson, type Json } from '../kernel/json.ts';
import { limits } from '../kernel/limits.ts';
import type { ExecutionLimits } from './execution-limits.ts';
import { FileError } from './file-error.ts';
import type { OverlayFileSystem } from './overlay-file-system.ts';
import type { CallAnswer, SandboxCall } from './protocol.ts';
import { parseResultText } from './result-text.ts';
import type { ToolPort } from './tool-port.ts';

/** What the script hears of one call, besides the number of the call. */
type Answer = Omit<CallAnswer, 'id'>;

export interface HostCallsOptions {
  readonly fileSystem: OverlayFileSystem;
  readonly tools: ToolPort;
  readonly limits: ExecutionLimits;
  readonly answer: (answer: CallAnswer) => void;
  /** Called once, when the other side breaks its rules (H2). */
  readonly onViolation: () => void;
}

const path = z.string().max(limits.overlayPathCharsMax);
const flag = z.boolean();
const count = z.number().int().nonnegative().optional();
const argumentsOf = {
  'fs.readFile': z.strictObject({ path, text: flag, offset: count, length: count }),
  'fs.writeFile': z.strictObject({ path }),
  'fs.appendFile': z.strictObject({ path }),
  'fs.readdir': z.strictObject({ path }),
  'fs.stat': z.strictObject({ path }),
  'fs.mkdir': z.strictObject({ path, recursive: flag }),
  'fs.rm': z.strictObject({ path, recursive: flag, force: flag }),
  'fs.rename': z.strictObject({ path, to: path }),
} as const;

const nothing = new Uint8Array(0);
const done = value(null);

export class HostCalls {
  readonly #options: HostCallsOptions;
  readonly #aborting = new AbortController();
  readonly #queue: SandboxCall[] = [];
  /** Outcomes in the order of the calls; the first one is answered as soon as it is there (H1). */
  readonly #outcomes: Promise<Answer>[] = [];
  #received = 0;
  #answered = 0;
  #isTurnPlanned = false;
  #isDelivering = false;
  #isClosed = false;

  constructor(options: HostCallsOptions) {
    this.#options = options;
  }

  /** Takes the next call of the script. */
  accept(call: SandboxCall): void {
    if (this.#isClosed) return;
    const { limits: own } = this.#options;
    this.#received += 1;
    const isExpected =
      call.id === this.#received &&
      this.#received <= own.calls &&
      this.#received - this.#answered <= limits.sandboxCallsInFlightMax &&
      call.data.length <= own.messageBytes &&
      Buffer.byteLength(call.args, 'utf8') <= own.messageBytes;
    if (!isExpected) {
      this.close();
      this.#options.onViolation(); // (H2)
      return;
    }
    this.#queue.push(call);
    this.#planTurn();
  }

  /** The script has ended: its file calls that came before are carried out, and nobody is answered any more (H5). */
  finish(): void {
    if (this.#isClosed) return;
    const left = this.#queue.splice(0);
    this.close();
    for (const call of left) if (!call.name.startsWith('tools.')) void this.#perform(call);
  }

  /** Ends it: tools in progress are aborted (H4). */
  close(): void {
    this.#isClosed = true;
    this.#queue.length = 0;
    this.#aborting.abort();
  }

  #planTurn(): void {
    if (this.#isTurnPlanned) return;
    this.#isTurnPlanned = true;
    setImmediate(() => this.#turn());
  }

  #turn(): void {
    this.#isTurnPlanned = false;
    const until = performance.now() + limits.sandboxCallTurnMs;
    for (let call = this.#queue.shift(); call !== undefined; call = this.#queue.shift()) {
      this.#outcomes.push(this.#perform(call));
      if (performance.now() > until) break; // (H3)
    }
    if (this.#queue.length > 0) this.#planTurn();
    void this.#deliver();
  }

  /** One at a time, in their order (H1). */
  async #deliver(): Promise<void> {
    if (this.#isDelivering) return;
    this.#isDelivering = true;
    for (let next = this.#outcomes.shift(); next !== undefined; next = this.#outcomes.shift()) {
      const outcome = await next;
      if (this.#isClosed) return;
      this.#answered += 1;
      this.#options.answer({ id: this.#answered, ...outcome });
    }
    this.#isDelivering = false;
  }

  /** Carries one call out. Never rejects; file calls are done when this returns. */
  #perform(call: SandboxCall): Promise<Answer> {
    const args = parseResultText(call.args);
    if ('problem' in args)
      return Promise.resolve(failed(`the arguments are wrong: ${args.problem}`));
    if (call.name.startsWith('tools.')) {
      return this.#callTool(call.name.slice('tools.'.length), args.value).catch(toError);
    }
    try {
      return Promise.resolve(this.#callFiles(call, args.value));
    } catch (error) {
      return Promise.resolve(toError(error));
    }
  }

  #callFiles({ name, data }: SandboxCall, given: Json): Answer {
    const { fileSystem } = this.#options;
    const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
    switch (name) {
      case 'fs.readFile': {
        const { path, text, offset, length } = parsed(name, given);
        const range = {
          ...(offset === undefined ? {} : { offset }),
          ...(length === undefined ? {} : { length }),
        };
        const content = fileSystem.readFile(path, range);
        return { outcome: 'ok', json: '', kind: text ? 'text' : 'bytes', data: content };
      }
      case 'fs.writeFile':
        fileSystem.writeFile(parsed(name, given).path, bytes);
        return done;
      case 'fs.appendFile':
        fileSystem.appendFile(parsed(name, given).path, bytes);
        return done;
      case 'fs.readdir':
        return value(fileSystem.readdir(parsed(name, given).path));
      case 'fs.stat':
        return value({ ...fileSystem.stat(parsed(name, given).path) });
      case 'fs.mkdir': {
        const { path, ...options } = parsed(name, given);
        fileSystem.mkdir(path, options);
        return done;
      }
      case 'fs.rm': {
        const { path, ...options } = parsed(name, given);
        fileSystem.rm(path, options);
        return done;
      }
      case 'fs.rename': {
        const { path, to } = parsed(name, given);
        fileSystem.rename(path, to);
        return done;
      }
      default:
        throw new FileError('EINVAL', 'there is no such operation');
    }
  }

  async #callTool(name: string, args: Json): Promise<Answer> {
    const { tools, limits: own } = this.#options;
    if (!tools.names.includes(name)) return failed('the tool is not granted', 'EACCES');
    const result = await tools.call(name, args, this.#aborting.signal);
    const problem = findNonJson(result);
    if (problem !== null) return failed(`the tool gave no plain JSON (${problem})`, 'EINVAL');
    const answer = value(result);
    if (Buffer.byteLength(answer.json, 'utf8') <= own.messageBytes) return answer;
    return toError(
      new FileError('EMSGSIZE', `the tool gave more than ${own.messageBytes} bytes`, 'message'),
    );
  }
}

function parsed<Name extends keyof typeof argumentsOf>(
  name: Name,
  given: Json,
): z.output<(typeof argumentsOf)[Name]> {
  const result = argumentsOf[name].safeParse(given);
  if (!result.success) {
    const [issue] = result.error.issues;
    throw new FileError('EINVAL', `${issue?.path.join('.') || 'the arguments'}: ${issue?.message}`);
  }
  return result.data as z.output<(typeof argumentsOf)[Name]>;
}

function value(result: Json): Answer {
  return { outcome: 'ok', json: JSON.stringify(result), kind: 'none', data: nothing };
}

function failed(message: string, code = 'EINVAL', bound: string | null = null): Answer {
  const json = JSON.stringify({ code, message: message.slice(0, 2_000), bound });
  return { outcome: 'error', json, kind: 'none', data: nothing };
}

/** A stack or a cause would tell about the host; code and message alone are told. */
function toError(error: unknown): Answer {
  if (error instanceof FileError) return failed(error.message, error.code, error.bound);
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'EIO';
  return failed(error instanceof Error ? error.message : String(error), code.slice(0, 80));
}
