/** In processes of their own, where no tool has rewritten the sources; nobody is connected, so no stop lasts. */
import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { projectRoot } from '../cli/claw-process.ts';
import { fixtureFolder, recordedFacts } from '../journal/fixtures.ts';

const name = 'inbox-format-2';

function stopped(work: string): unknown {
  const program = `
    import { openReadOnly } from './src/runtime/read-only.ts';
    import { stopWithin } from './src/runtime/replay-inspector.ts';
    const journal = openReadOnly(${JSON.stringify(fixtureFolder(name))});
    const session = journal.session(${JSON.stringify(recordedFacts(name).run)});
    console.log(JSON.stringify(${work}));
    journal.close();`;
  const words = ['--input-type=module', '--eval', program];
  return JSON.parse(execFileSync(process.execPath, words, { cwd: projectRoot, encoding: 'utf8' }));
}

test('stops where a machine is stepped, and says when no machine was reached', () => {
  const stepper = stopped(`stopWithin('stepper', () => session.forward())`);
  expect(stepper).toMatchObject({ file: expect.stringMatching(/src.actors.step\.ts$/) });
  expect(stopped(`stopWithin('machine', () => session.state('run'))`)).toBeNull();
});

test('sets nothing that a later step could stop at', () => {
  const places = stopped(`[
    stopWithin('machine', () => session.goTo(10)),
    stopWithin('stepper', () => session.back()),
  ]`);
  expect(places).toMatchObject([{ file: expect.stringMatching(/pipeline\.ts$/) }, null]);
});
