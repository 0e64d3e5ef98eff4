/**
 * `claw grid`: the same events of a run, gone on from in every combination of
 * some settings, side by side; a script of the user's judges each result.
 */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { exitStatus } from '../../kernel/errors.ts';
import type { Json, JsonObject } from '../../kernel/json.ts';
import { limits } from '../../kernel/limits.ts';
import type { RunView } from '../../runtime/views.ts';
import {
  type CommandContext,
  collected,
  type Host,
  integer,
  newCommand,
  onAction,
} from '../command.ts';
import { forkMatrix } from '../fork-matrix.ts';
import { setHelp } from '../fork-settings.ts';
import { reportPath } from '../report-file.ts';
import { openRunTarget, type RunTarget } from '../run-target.ts';
import { readScript } from '../script-file.ts';
import { type TextColumn, textTable } from '../text-table.ts';

interface GridOptions {
  readonly at: number;
  readonly vary: readonly string[];
  readonly set?: readonly string[];
  readonly verify?: string;
  readonly parallel: number;
  readonly allowEffects?: boolean;
}

/** One fork of the grid, ended and judged. */
interface GridRow {
  readonly set: JsonObject;
  readonly run: RunView;
  /** Null without a script. */
  readonly verdict: Verdict | null;
}

interface Verdict {
  readonly ok: boolean;
  /** What the script gave, or the sentence that says why it gave nothing. */
  readonly value: Json;
}

const help = `${setHelp}

--vary takes several values, as in --vary temperature=0,0.5 --vary model=a,b.
A script of --verify runs in the sandbox; its input is { settings, run, report },
and its completion value is the verdict: true, or an object with "ok".`;

export function gridCommand(host: Host): Command {
  const command = newCommand('grid', 'go on from an event of a run in many ways, and compare')
    .argument('<run>', 'id of the run')
    .requiredOption(
      '--at <event>',
      'its last event that is shared',
      integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
    )
    .requiredOption('--vary <name=values>', 'a setting and its values; may be repeated', collected)
    .option('--set <name=value>', 'a setting of every fork; may be repeated', collected)
    .option('--verify <file>', 'JavaScript that judges each result')
    .option('--parallel <n>', 'forks at once', integer({ min: 1, max: limits.openRunsMax }), 2)
    .option('--allow-effects', 'perform effects that reach outside the files of the runs')
    .addHelpText('after', help);
  return onAction<GridOptions>(command, host, async (context, { words: [id = ''], options }) => {
    const { cwd } = context.io;
    const matrix = forkMatrix(options.vary, options.set ?? [], cwd);
    const script = options.verify === undefined ? null : readScript(resolve(cwd, options.verify));
    const target = await openRunTarget(context);
    try {
      const forks = await forkAll(context, target, { id, matrix, options });
      if (forks === null) return exitStatus.interrupted;
      const rows = await judged(context, forks, script);
      context.output.answer({ run: id, at: options.at, forks: rows.map(shownRow) });
      for (const line of table(rows, context.io.stdout.columns ?? 160)) context.output.print(line);
      return exitStatus.ok;
    } finally {
      await target.close();
    }
  });
}

type Fork = Pick<GridRow, 'set' | 'run'>;

/** Every fork, ended, in the order of the matrix; null after an interrupt. */
async function forkAll(
  { io, output }: CommandContext,
  target: RunTarget,
  { id, matrix, options }: { id: string; matrix: readonly JsonObject[]; options: GridOptions },
): Promise<Fork[] | null> {
  const { at, parallel, allowEffects = false } = options;
  const ended: Fork[] = [];
  const waiting = [...matrix.entries()];
  const work = async (): Promise<void> => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const [place, set] = next;
      const begun = await target.fork(id, { at, set, allowEffects });
      output.notice(`fork ${place + 1} of ${matrix.length}: run ${begun.id}, ${named(set)}`);
      ended[place] = { set, run: await target.follow(begun.id, () => undefined) };
    }
  };
  let stop = (): void => undefined;
  const interrupted = new Promise<'interrupted'>((settle) => {
    stop = io.onSignal(() => settle('interrupted'));
  });
  try {
    const all = Promise.all(Array.from({ length: parallel }, work));
    return (await Promise.race([all, interrupted])) === 'interrupted' ? null : ended;
  } finally {
    waiting.length = 0;
    stop();
  }
}

async function judged(
  { services, config }: CommandContext,
  forks: readonly Fork[],
  script: string | null,
): Promise<GridRow[]> {
  if (script === null) return forks.map((fork) => ({ ...fork, verdict: null }));
  const sandbox = await services.openSandbox(config);
  try {
    const rows: GridRow[] = [];
    for (const { set, run } of forks) {
      const path = reportPath(run);
      const report = path === null ? null : readFileSync(path, 'utf8');
      // A view is plain JSON: it is what the API sends.
      const input = { settings: set, run: run as unknown as Json, report };
      const { ok, value, error } = await sandbox.execute({ source: script, input });
      const verdict = ok
        ? { ok: isPass(value), value: (value ?? null) as Json }
        : { ok: false, value: error?.message ?? 'The script gave no answer.' };
      rows.push({ set, run, verdict });
    }
    return rows;
  } finally {
    await sandbox.close();
  }
}

function isPass(value: unknown): boolean {
  return value === true || (value as { ok?: unknown } | null)?.ok === true;
}

function shownRow({ set, run, verdict }: GridRow) {
  const { id, status, resultHash, usage, progress, error } = run;
  return { id, set, status, resultHash, usage, progress, error, verdict };
}

function named(set: JsonObject): string {
  const settings = Object.entries(set).map(([name, value]) => `${name}=${short(value)}`);
  return settings.length === 0 ? 'as it was' : settings.join(' ');
}

function short(value: Json | undefined): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return text.length <= 24 ? text : `${text.slice(0, 23)}…`;
}

const columns: readonly TextColumn<GridRow>[] = [
  { title: 'settings', cell: ({ set }) => named(set).replaceAll('\n', ' ') },
  { title: 'status', cell: ({ run }) => run.status },
  { title: 'result', cell: ({ run }) => run.resultHash?.slice(0, 8) ?? '-' },
  { title: 'verdict', cell: ({ verdict }) => verdictText(verdict) },
  { title: 'for people', cell: ({ run }) => String(run.progress.handedToHuman) },
  { title: 'generations', cell: ({ run }) => String(run.usage.generations) },
  { title: 'read', cell: ({ run }) => String(run.usage.promptTokens) },
  { title: 'written', cell: ({ run }) => String(run.usage.answerTokens) },
  { title: 'retries', cell: ({ run }) => String(run.usage.interventions) },
  { title: 'run', cell: ({ run }) => run.id },
];

function verdictText(verdict: Verdict | null): string {
  if (verdict === null) return '-';
  const { ok, value } = verdict;
  return typeof value === 'boolean'
    ? ok
      ? 'pass'
      : 'fail'
    : `${ok ? 'pass' : 'fail'} ${short(value)}`;
}

function table(rows: readonly GridRow[], width: number): readonly string[] {
  return textTable(columns, rows, width).lines;
}
