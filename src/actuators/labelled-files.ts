/**
 * The file actuator for runs with labels: what is written is labelled before it is there,
 * and what is read is compared with the reader's clearance before it is told. Runs without
 * labels pass through.
 */
import { join, relative, sep } from 'node:path';
import { dominates, highest, type Levels } from '../identity/clearance.ts';
import { RuntimeError } from '../kernel/errors.ts';
import { type ActorId, parseIntentionKey, type RunId } from '../kernel/ids.ts';
import type { Actuator, ActuatorContext, Operation } from './actuator.ts';
import type { FileLabels } from './file-labels.ts';
import { locate, shownPath } from './workspace-path.ts';

/** What the files of a run are labelled by, and what an actor of it may read. */
export interface FileReader {
  readonly levels: Levels;
  readonly clearance: string;
  /** The label that a pattern gives the file, or undefined where none matches. */
  matched(path: string): string | undefined;
  /** The label of a file that the run began with and that no pattern matches. */
  readonly unmatched: string;
}

export interface LabelledFilesOptions {
  readonly labels: FileLabels;
  /** Null where the run has no labels. @throws RuntimeError where nobody knows the actor */
  readonly readerOf: (run: RunId, actor: ActorId) => FileReader | null;
}

interface PathArguments {
  readonly path: string;
  readonly label?: string | undefined;
}

/** Where the path really leads, from the workspace on. */
async function realPath(path: string, { workspace }: ActuatorContext): Promise<string> {
  const { root, existing, missing } = await locate(workspace, path);
  return relative(root, join(existing, ...missing))
    .split(sep)
    .join('/');
}

export function labelledFiles(files: Actuator, options: LabelledFilesOptions): Actuator {
  const { labels, readerOf } = options;
  const readerIn = ({ key, run }: ActuatorContext): FileReader | null =>
    readerOf(run, parseIntentionKey(key).actor);
  const { read, write, append, ...others } = files.operations;

  const reading = (inner: Operation): Operation => ({
    ...inner,
    async perform(args, context) {
      const reader = readerIn(context);
      const result = await inner.perform(args, context);
      if (reader === null) return result;
      const { path } = args as PathArguments;
      const real = await realPath(path, context);
      const { levels, clearance, unmatched } = reader;
      const written = labels.labelOf(context.run, levels, real);
      const label = highest(levels, [reader.matched(real), written ?? unmatched]);
      if (dominates(levels, clearance, label)) return { ...(result as object), label };
      throw new RuntimeError(
        'CLEARANCE_INSUFFICIENT',
        `The file ${shownPath(path)} has the label ${label}, and who would read it is cleared for ${clearance}.`,
      );
    },
  });

  const writing = (inner: Operation): Operation => ({
    ...inner,
    async perform(args, context) {
      const reader = readerIn(context);
      const { path, label } = args as PathArguments;
      if (reader !== null && label !== undefined) {
        const real = await realPath(path, context);
        labels.raise(context.run, reader.levels, { path: real, label });
      }
      return inner.perform(args, context);
    },
  });

  return {
    ...files,
    operations: {
      ...others,
      ...(read === undefined ? {} : { read: reading(read) }),
      ...(write === undefined ? {} : { write: writing(write) }),
      ...(append === undefined ? {} : { append: writing(append) }),
    },
  };
}
