/**
 * Runs whose actors sleep while they wait for the model, and the deaths of their
 * host at just that: while they are asleep, while one wakes, and for want of
 * memory while one wakes. `npm test` does each once, `npm run test:chaos` many times.
 */
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { limits } from '../../src/kernel/limits.ts';
import { sayWhole, startEndpointServer } from '../inference/endpoint-server.ts';
import type { HostKilledRun } from './kill-host.ts';

/** Two questions of each document, one after the other, and a report. */
const pipeline = {
  name: 'sleepers',
  agents: {
    echo: { prompt: 'First: {{document.text}}' },
    again: { prompt: 'Then: {{document.text}} {{steps.echo.output}}' },
  },
  steps: [
    { id: 'echo', agent: 'echo', map: 'documents' },
    { id: 'again', agent: 'again', map: 'documents', needs: ['echo'] },
    {
      id: 'report',
      needs: ['again'],
      when: 'always',
      write: {
        path: 'report.md',
        template: '{{#items}}{{steps.echo.output}} {{steps.again.output}}\n{{/items}}',
      },
    },
  ],
  report: 'report.md',
};
const documents = 3;
/** Of the points there are: a host passes that many wakings, or more, before the run ends. */
export const wakingsMin = documents + 1;
const heapMiB = 48;
/** Young objects come on top. */
const heapBytesMax = (heapMiB + 128) * 1024 * 1024;

export type SleeperDeath = 'asleep' | 'waking' | 'starved-waking';

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

/**
 * One run in a process of its own, whose model lets everybody fall asleep before its
 * first answer. Null: nobody dies.
 * @param count At which passage of that point the first host dies.
 */
export async function runSleepers(
  death: SleeperDeath | null,
  { count, hosts = 1 }: { readonly count: number; readonly hosts?: number },
): Promise<HostKilledRun> {
  const folder = mkdtempSync(join(tmpdir(), 'claw-sleepers-'));
  let asked = 0;
  const model = await startEndpointServer(async (response, { body }) => {
    asked += 1;
    const text = String(body.messages.at(-1)?.content.length);
    if (asked === 1 && death !== null) await sleep(limits.actorIdleMsMax + 1_500);
    if (!response.destroyed) sayWhole(response, text);
  });
  try {
    for (const name of ['input', 'fatal']) mkdirSync(join(folder, name));
    writeFileSync(join(folder, 'pipeline.yaml'), JSON.stringify(pipeline));
    for (let index = 0; index < documents; index += 1) {
      writeFileSync(join(folder, 'input', `m${index}.txt`), `text ${'x'.repeat(index)}`);
    }
    const args = ['--import', here('fatal-points.ts'), here('fatal-run.ts')];
    const given = [join(folder, 'pipeline.yaml'), join(folder, 'input'), model.baseUrl];
    const { stdout } = await promisify(execFile)(process.execPath, [...args, ...given], {
      env: {
        ...process.env,
        FATAL_FOLDER: join(folder, 'fatal'),
        FATAL_HOSTS: String(hosts),
        ...(death === null ? {} : { FATAL_POINTS: `${death}:${count}` }),
        ...(death === 'starved-waking' ? { FATAL_HEAP_MIB: String(heapMiB) } : {}),
      },
      maxBuffer: 16 * 1024 * 1024,
    });
    const run = JSON.parse(stdout) as HostKilledRun;
    const taken = readdirSync(join(folder, 'fatal'));
    const passed = taken.length === (death === null ? 0 : 1);
    const heaps = taken.map((name) => Number(readFileSync(join(folder, 'fatal', name), 'utf8')));
    const isUnbounded = death === 'starved-waking' && heaps.some((max) => max > heapBytesMax);
    const problems = [
      ...run.problems,
      ...(passed ? [] : ['No host took the point at which it was to die.']),
      ...(death !== null && run.restarts === 0 ? ['No host has died.'] : []),
      ...(death === 'starved-waking' && !run.notices.some((text) => text.includes('memory limit'))
        ? ['No host has run out of memory.']
        : []),
      ...(isUnbounded ? ['A host may take more heap than it is to.'] : []),
      ...(death === null && run.restarts > 0 ? ['A host has died by itself.'] : []),
    ];
    return { ...run, problems };
  } finally {
    await model.close();
    rmSync(folder, { recursive: true, force: true });
  }
}
