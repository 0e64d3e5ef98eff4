import { expect, test } from 'vitest';
import { type ActorId, actorId, newRunId, type RunId } from '../../src/kernel/ids.ts';
import { ActorKey } from '../../src/runtime/actor-key.ts';

const runs = [newRunId(), newRunId()] as const;

function keyOf(key: ActorKey, run: RunId, actor: ActorId): string {
  key.of(run, actor);
  return `${key.low}:${key.high}`;
}

test('it is a function of secret, run and id, whatever was hashed before', () => {
  const [one, same, other] = [new ActorKey(1, 2), new ActorKey(1, 2), new ActorKey(1, 3)];
  const ids = ['run', 'run/a', 'run/ab', 'run/abc', 'run/abcd', `run/${'x'.repeat(190)}`];
  const seen = new Set<string>();
  for (const run of runs) {
    for (const id of ids.map(actorId)) {
      const key = keyOf(one, run, id);
      expect(keyOf(one, run, id)).toBe(key);
      seen.add(key);
      expect(keyOf(other, run, id)).not.toBe(key);
    }
  }
  const again = runs.flatMap((run) => ids.map((id) => keyOf(same, run, actorId(id))));
  expect(again.every((key) => seen.has(key))).toBe(true);
  expect(seen.size).toBe(runs.length * ids.length);
  for (const run of runs)
    expect(keyOf(one, run, actorId('run'))).toBe(keyOf(same, run, actorId('run')));
});

test('many ids of one kind have different keys, spread over all slots', () => {
  const key = new ActorKey(-5, 77);
  const count = 100_000;
  const lows = new Set<number>();
  const highs = new Set<number>();
  const slots = new Uint32Array(256);
  for (let number = 0; number < count; number += 1) {
    key.of(runs[0], `run/document-${number}/supervisor/work` as ActorId);
    expect(key.low === 0 || key.low === 1 || key.high === 0).toBe(false);
    lows.add(key.low);
    highs.add(key.high);
    slots[key.low & 255] = (slots[key.low & 255] ?? 0) + 1;
  }
  // Of 100,000 words of 32 bits about one is had twice.
  expect(lows.size).toBeGreaterThan(count - 20);
  expect(highs.size).toBeGreaterThan(count - 20);
  expect(Math.min(...slots)).toBeGreaterThan(0.7 * (count / 256));
  expect(Math.max(...slots)).toBeLessThan(1.3 * (count / 256));
});
