/** Pipelines and folders with one mistake each, and sound ones to compare. */
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ErrorCode } from '../../src/kernel/errors.ts';
import { limits } from '../../src/kernel/limits.ts';

/** Asks no model, so that it is over at once. */
export const soundPipeline = `name: sound
agents:
  reader: { prompt: 'Facts: {{document.text}} Question: Who wrote this?', limits: { maxTokens: 4 } }
steps:
  - id: report
    write: { path: report.md, template: "{{#items}}{{document.name}} {{/items}}" }
report: report.md
`;

/** Asks the model once. */
export const askingPipeline = soundPipeline.replace(
  '  - id: report\n',
  '  - { id: read, agent: reader, map: documents }\n  - id: report\n    needs: [read]\n',
);

interface Mistake {
  readonly name: string;
  readonly code: ErrorCode;
  readonly says: RegExp;
}

export interface PipelineMistake extends Mistake {
  /** Null for a file that is not written. */
  readonly text: string | Buffer | null;
}

export const pipelineMistakes: readonly PipelineMistake[] = [
  {
    name: 'absent',
    text: null,
    code: 'PIPELINE_NOT_FOUND',
    says: /no pipeline file .*absent\.yaml; check the path\./,
  },
  {
    name: 'not-yaml',
    text: 'name: broken\nagents:\n  a: { prompt: "x"\nsteps: []\n',
    code: 'PIPELINE_INVALID',
    says: /not-yaml\.yaml:4:1: the YAML is not valid/,
  },
  {
    name: 'tabs',
    text: 'name: tabs\nagents:\n\ta: {}\n',
    code: 'PIPELINE_INVALID',
    says: /tabs\.yaml:3:1: the YAML is not valid/,
  },
  {
    name: 'empty',
    text: '',
    code: 'PIPELINE_INVALID',
    says: /empty\.yaml:1:1: /,
  },
  {
    name: 'binary',
    text: Buffer.from([0xff, 0xfe, 0x00, 0x80]),
    code: 'PIPELINE_INVALID',
    says: /binary\.yaml: the file is not UTF-8 text; save it as UTF-8\./,
  },
  {
    name: 'huge',
    text: Buffer.alloc(limits.pipelineBytesMax + 1, '#'),
    code: 'PIPELINE_INVALID',
    says: /larger than 256 KiB; shorten it\./,
  },
  {
    name: 'cycle',
    text: soundPipeline.replace(
      'steps:\n',
      'steps:\n  - { id: a, agent: reader, map: documents, needs: [b] }\n  - { id: b, agent: reader, map: documents, needs: [a] }\n',
    ),
    code: 'PIPELINE_CYCLE',
    says: /cycle\.yaml:5:\d+: .* a → b → a; remove one/,
  },
  {
    name: 'unknown-agent',
    text: soundPipeline.replace('steps:\n', 'steps:\n  - { id: a, agent: nobody }\n'),
    code: 'PIPELINE_UNKNOWN_REFERENCE',
    says: /unknown-agent\.yaml:5:21: .*no agent "nobody"; there are reader\./,
  },
  {
    name: 'unknown-tool',
    text: soundPipeline.replace('reader: {', 'reader: { tools: [hammer],'),
    code: 'PIPELINE_UNKNOWN_REFERENCE',
    says: /unknown-tool\.yaml:3:\d+: .*no tool "hammer"/,
  },
  {
    name: 'unknown-setting',
    text: `${soundPipeline}colour: red\n`,
    code: 'PIPELINE_INVALID',
    says: /unknown-setting\.yaml:8:1: colour: there is no such setting here/,
  },
  {
    name: 'no-workspace',
    text: `${soundPipeline}input: { workspace: not-there }\n`,
    code: 'INPUT_NOT_FOUND',
    says: /workspace folder .*not-there.*check input\.workspace\./,
  },
];

export interface FolderMistake extends Mistake {
  make(folder: string): void;
}

export const folderMistakes: readonly FolderMistake[] = [
  {
    name: 'absent',
    make: () => undefined,
    code: 'INPUT_NOT_FOUND',
    says: /does not exist; check the path\./,
  },
  {
    name: 'a-file',
    make: (folder) => writeFileSync(folder, 'text'),
    code: 'INPUT_NOT_FOUND',
    says: /is not a folder; name the folder/,
  },
  {
    // Permissions stop nobody who is root; a circle of links stops everybody.
    name: 'unreadable',
    make: (folder) => symlinkSync(folder, folder),
    code: 'INPUT_NOT_FOUND',
    says: /cannot be read \(ELOOP\); check the path and its permissions\./,
  },
  {
    name: 'empty',
    make: (folder) => mkdirSync(folder),
    code: 'INPUT_EMPTY',
    says: /no document that matches \*\.txt.*; add some/,
  },
  {
    name: 'no-document',
    make: (folder) => {
      mkdirSync(join(folder, 'folder.txt'), { recursive: true });
      symlinkSync('/nowhere/at/all', join(folder, 'dangling.txt'));
      writeFileSync(join(folder, 'picture.png'), 'x');
    },
    code: 'INPUT_EMPTY',
    says: /no document that matches/,
  },
  {
    name: 'binary',
    make: (folder) => withDocument(folder, Buffer.from([0x89, 0x50, 0x00, 0xff])),
    code: 'DOCUMENT_NOT_TEXT',
    says: /a\.txt has a NUL byte, .*; convert it or leave it out\./,
  },
  {
    name: 'latin1',
    make: (folder) => withDocument(folder, Buffer.from('caf\u00e9', 'latin1')),
    code: 'DOCUMENT_NOT_TEXT',
    says: /a\.txt is not UTF-8/,
  },
  {
    name: 'huge',
    make: (folder) => withDocument(folder, Buffer.alloc(limits.documentBytesMax + 1, 'a')),
    code: 'DOCUMENT_TOO_LARGE',
    says: /a\.txt is larger than 256 KiB; split it or leave it out\./,
  },
];

function withDocument(folder: string, content: string | Buffer): void {
  mkdirSync(folder);
  writeFileSync(join(folder, 'a.txt'), content);
}

/** A sound pipeline and folder, in a folder that exists. */
export function writeSoundInput(folder: string): { pipeline: string; input: string } {
  const pipeline = join(folder, 'sound.yaml');
  const input = join(folder, 'sound');
  writeFileSync(pipeline, soundPipeline);
  withDocument(input, 'Anna Berg wrote this.\n');
  return { pipeline, input };
}
