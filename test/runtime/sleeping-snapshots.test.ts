import { describe, expect, test } from 'vitest';
import { actorFromJson, actorToJson } from '../../src/actors/actor.ts';
import { SharedTemplates, templateEntryBytes } from '../../src/runtime/shared-templates.ts';
import { SleepingSnapshots } from '../../src/runtime/sleeping-snapshots.ts';
import type { Sleeper } from '../../src/runtime/snapshot-codec.ts';
import { SnapshotGrid } from '../../src/runtime/snapshot-grid.ts';
import { SnapshotNames } from '../../src/runtime/snapshot-names.ts';
import { allOf, runOfSleepers as run, sleeperId, sleepingAgent } from './sleepers.ts';

const entries = 4;
const gridAt = 1_024;
const pageBytes = 65_536;
const never = () => false;

/** Snapshots, and the templates of the same memory as another thread has them. */
function snapshotsOf(pages: number) {
  const memory = new SharedArrayBuffer(gridAt + 1_024 + pages * pageBytes);
  expect(entries * templateEntryBytes).toBeLessThanOrEqual(gridAt);
  const at = { templatesAt: 0, templates: entries, gridAt };
  const snapshots = new SleepingSnapshots(memory, at);
  const grid = new SnapshotGrid(memory, gridAt, memory.byteLength - gridAt);
  const templates = new SharedTemplates(memory, { offsetBytes: 0, entries }, grid);
  return { memory, snapshots, templates };
}

function sealOf(number: number) {
  return { low: number, high: 7 };
}

function namesOf(number: number): SnapshotNames {
  return new SnapshotNames(run, sleeperId(number));
}

/** An agent of another shape for each name. */
function agentWith(name: string, number: number, text: string): Sleeper {
  const agent = sleepingAgent(number, text);
  const json = actorToJson(agent.actor);
  const context = { ...json.state.context, [name]: 0 };
  return { ...agent, actor: actorFromJson({ ...json, state: { ...json.state, context } }) };
}

describe('a template has a user for each snapshot that sleeps with it (C2)', () => {
  test('until it is taken out or freed', () => {
    const { snapshots, templates } = snapshotsOf(8);
    const places = [0, 1, 2, 3].map((number) =>
      snapshots.store(sleepingAgent(number), sealOf(number), never),
    );
    expect(places).not.toContain(0);
    expect(templates.reclaim()).toBe(0);
    const taken = snapshots.take(places[1] ?? 0, namesOf(1), sealOf(1));
    expect(taken === null ? null : allOf(taken)).toEqual(allOf(sleepingAgent(1)));
    snapshots.free(places[2] ?? 0, sealOf(2));
    expect(templates.reclaim()).toBe(0);
    snapshots.free(places[3] ?? 0, sealOf(3));
    expect(templates.reclaim()).toBe(1);
  });

  test('not for one that found no room', () => {
    const { snapshots, templates } = snapshotsOf(2);
    // There is no page for the third size.
    const stored = new Map<number, number>();
    for (let number = 0; number < 5; number += 1) {
      const place = snapshots.store(
        sleepingAgent(number, `${number}`.repeat(200 * number + 1)),
        sealOf(number),
        never,
      );
      if (place !== 0) stored.set(number, place);
    }
    expect(stored.size).toBeLessThan(5);
    for (const [number, place] of stored) snapshots.free(place, sealOf(number));
    expect(templates.count).toBe(1);
    expect(templates.reclaim()).toBe(1);
  });

  test('for ever, if the snapshot is damaged: nobody knows which one it used', () => {
    const { memory, snapshots, templates } = snapshotsOf(8);
    const text = (number: number) => `${number} is here and nowhere else`;
    const places = [0, 1, 2].map((number) =>
      snapshots.store(sleepingAgent(number, text(number)), sealOf(number), never),
    );
    const all = Buffer.from(memory);
    const at = all.indexOf(text(2));
    all.writeUInt8(all.readUInt8(at) ^ 1, at);
    expect(snapshots.take(places[2] ?? 0, namesOf(2), sealOf(2))).toBeNull();
    expect(snapshots.take(places[1] ?? 0, namesOf(1), sealOf(1))).not.toBeNull();
    expect(templates.reclaim()).toBe(0);
  });
});

test('a template that nobody uses makes room for a snapshot', () => {
  const { snapshots, templates } = snapshotsOf(4);
  const text = (number: number) => `${'d'.repeat(700)}${number}`;
  for (const number of [1, 2]) {
    const place = snapshots.store(agentWith('a', number, text(number)), sealOf(number), never);
    snapshots.take(place, namesOf(number), sealOf(number));
  }
  expect(templates.count).toBe(1);
  let stored = 0;
  for (let number = 3; ; number += 1, stored += 1) {
    const place = snapshots.store(agentWith('b', number, text(number)), sealOf(number), never);
    if (place === 0) break;
  }
  expect(stored).toBeGreaterThan(30);
  expect(templates.count).toBe(1);
});
