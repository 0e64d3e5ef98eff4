/**
 * `claw run`: a pipeline over a folder, to its end. An interrupt leaves the
 * run open: a live server goes on with it, and otherwise the next `claw up`.
 */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import { labelRuleSchema } from '../../actors/labels.ts';
import { exitStatus, RuntimeError } from '../../kernel/errors.ts';
import { limits } from '../../kernel/limits.ts';
import { collected, type Host, integer, newCommand, onAction } from '../command.ts';
import { followToEnd, reportRun } from '../follow-run.ts';
import { assertWritable } from '../report-file.ts';
import { openRunTarget } from '../run-target.ts';

interface RunOptions {
  readonly input: string;
  readonly out?: string;
  readonly seed?: number;
  readonly label?: readonly string[];
}

/** `hr-*=secret`: a pattern may have any character, a level no equals sign. */
function labelRule(text: string): { match: string; label: string } {
  const at = text.lastIndexOf('=');
  const parsed = labelRuleSchema.safeParse({
    match: text.slice(0, Math.max(at, 0)),
    label: text.slice(at + 1),
  });
  if (parsed.success) return parsed.data;
  throw new RuntimeError(
    'USAGE',
    `--label is a pattern of names and a level, such as hr-*=secret, not ${JSON.stringify(text.slice(0, 80))}.`,
  );
}

export function runCommand(host: Host): Command {
  const command = newCommand('run', 'run a pipeline over a folder of documents')
    .argument('<pipeline>', 'pipeline file (YAML)')
    .requiredOption('--input <dir>', 'folder of documents')
    .option('--out <file>', 'where the report is copied')
    .option('--deterministic', 'one generation at a time, where no server runs')
    .option('--journal <mode>', 'durable or relaxed, where no server runs')
    .option('--label <pattern=level>', 'label of documents; may be repeated', collected)
    .option('--seed <n>', 'seed of every generation', integer({ min: 0, max: limits.runSeedMax }));
  return onAction<RunOptions>(
    command,
    host,
    async (context, { words: [pipeline = ''], options }) => {
      const { cwd } = context.io;
      const out = options.out === undefined ? null : resolve(cwd, options.out);
      if (out !== null) assertWritable(out);
      const target = await openRunTarget(context);
      try {
        const started = await target.startRun({
          pipeline: resolve(cwd, pipeline),
          input: { folder: resolve(cwd, options.input) },
          ...(options.seed === undefined ? {} : { seed: options.seed }),
          ...(options.label === undefined ? {} : { labels: options.label.map(labelRule) }),
        });
        const run = await followToEnd(context, target, started);
        if (run !== null) return reportRun(context, run, out);
        context.output.answer(started);
        return exitStatus.interrupted;
      } finally {
        await target.close();
      }
    },
  );
}
