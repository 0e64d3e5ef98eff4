/**
 * Goal: what a killed process was told is durable is in the journal, in order
 * and unbroken, however often it is killed.
 *
 * Method: a child appends as fast as it can and prints what is acknowledged.
 * After a random number of lines it gets SIGKILL; the journal is then
 * recovered, compared with the lines, and the next child goes on in it.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { describe, expect, onTestFinished, test } from 'vitest';
import { JournalReader } from '../../src/journal/journal-reader.ts';
import { recover } from '../../src/journal/recovery.ts';
import { temporaryFolder } from '../journal/journal-fixture.ts';

const child = fileURLToPath(new URL('./journal-kill-child.ts', import.meta.url));

/** Runs a child until it printed `lines` lines, kills it, and returns what it acknowledged: run and sequence. */
async function runAndKill(folder: string, lines: number): Promise<[string, number]> {
  const process_ = spawn(process.execPath, [child, folder], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void process_.kill('SIGKILL'));
  const exited = once(process_, 'exit');
  let last: [string, number] = ['', 0];
  let count = 0;
  // Lines that were printed before the kill arrive after it; they count, too.
  for await (const line of createInterface({ input: process_.stdout })) {
    const [run = '', sequence = ''] = line.split(' ');
    last = [run, Number(sequence)];
    count += 1;
    if (count === lines) process_.kill('SIGKILL');
  }
  const [code, signal] = await exited;
  expect([code, signal]).toEqual([null, 'SIGKILL']);
  return last;
}

describe('a killed journal', () => {
  test('has everything that was acknowledged, kill after kill', { timeout: 60_000 }, async () => {
    const folder = temporaryFolder();
    const acknowledged = new Map<string, number>();
    for (const lines of [1, 3, 7, 12, 20]) {
      const [run, sequence] = await runAndKill(folder, lines);
      acknowledged.set(run, sequence);
      recover(folder);
      const reader = JournalReader.open(folder, { verifyDigests: true });
      const events = reader.advance().filter(({ type }) => type === 'event');
      reader.close();
      for (const [each, told] of acknowledged) {
        const own = events.filter((event) => event.run === each);
        expect(own.length).toBeGreaterThanOrEqual(told);
        expect(own.map(({ actorSequence }) => actorSequence)).toEqual(
          Array.from({ length: own.length }, (_, index) => index + 1),
        );
        expect(JSON.parse(`${own[told - 1]?.body}`)).toMatchObject({ n: told });
      }
    }
  });
});
