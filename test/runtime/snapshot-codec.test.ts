import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Actor, actorFromJson, actorToJson } from '../../src/actors/actor.ts';
import { actorHash } from '../../src/actors/step.ts';
import { type ActorId, actorId } from '../../src/kernel/ids.ts';
import type { Json, JsonObject } from '../../src/kernel/json.ts';
import { SharedTemplates, templateEntryBytes } from '../../src/runtime/shared-templates.ts';
import { type Sleeper, SnapshotCodec } from '../../src/runtime/snapshot-codec.ts';
import { SnapshotGrid } from '../../src/runtime/snapshot-grid.ts';
import { SnapshotNames } from '../../src/runtime/snapshot-names.ts';
import { allOf, runOfSleepers, sleeperId, sleepingAgent } from './sleepers.ts';

const entries = 8;

/** What one thread has: all of them share the memory. */
function thread(memory: SharedArrayBuffer) {
  const offsetBytes = 0;
  const begin = entries * templateEntryBytes;
  const grid = new SnapshotGrid(memory, begin, memory.byteLength - begin);
  const templates = new SharedTemplates(memory, { offsetBytes, entries }, grid);
  return { templates, codec: new SnapshotCodec(templates) };
}

function memoryOf(pages: number): SharedArrayBuffer {
  return new SharedArrayBuffer(entries * templateEntryBytes + 2_048 + pages * 65_536);
}

function threads(pages = 4): [SnapshotCodec, SnapshotCodec] {
  const memory = memoryOf(pages);
  return [thread(memory).codec, thread(memory).codec];
}

interface Written {
  readonly bytes: Buffer;
  readonly length: number;
  readonly template: number;
}

function written(codec: SnapshotCodec, sleeper: Sleeper): Written {
  const { bytes, template } = codec.encode(sleeper);
  return { bytes: Buffer.from(bytes), length: bytes.length, template };
}

function read(codec: SnapshotCodec, bytes: Written, id: ActorId): Sleeper {
  const text = bytes.bytes.toString('latin1', 0, bytes.length);
  const sleeper = codec.decode(text, bytes.template, new SnapshotNames(runOfSleepers, id));
  if (sleeper === null) throw new Error('its template is damaged');
  return sleeper;
}

function withContext(actor: Actor, context: JsonObject): Actor {
  const json = actorToJson(actor);
  return actorFromJson({ ...json, state: { ...json.state, context } });
}

describe('what is read equals what was written (C1)', () => {
  test('agents of one run, in another thread, with and without a digest', () => {
    const [writer, reader] = threads();
    const templates = new Set<number>();
    for (let number = 0; number < 16; number += 1) {
      const agent = sleepingAgent(number, number % 4 === 3 ? '' : `text ${number}`);
      const digest = number % 2 === 0 ? null : Buffer.alloc(32, number);
      // Values that differ from the template, other shapes, and names of others as values.
      const other = [null, 7, 'judged', { self: sleeperId(number), of: sleeperId(0) }][number % 4];
      const actor = withContext(agent.actor, {
        ...actorToJson(agent.actor).state.context,
        grounding: other as Json,
        step: number % 5 === 0 ? 'another' : 'work',
      });
      const sleeper = { ...agent, actor, previousDigest: digest, begins: number % 3 === 0 };
      const bytes = written(writer, sleeper);
      templates.add(bytes.template);
      const again = read(reader, bytes, sleeperId(number));
      expect(allOf(again)).toEqual(allOf(sleeper));
      expect(actorHash(again.actor.state)).toBe(actorHash(sleeper.actor.state));
      expect(JSON.stringify(allOf(again))).toBe(JSON.stringify(allOf(sleeper)));
    }
    expect(templates.size).toBeGreaterThan(2);
  });

  test('any context, with any keys and texts, of actors with much or little in common', () => {
    const [writer, reader] = threads();
    const { actor } = sleepingAgent(1);
    const ids = ['run/a', 'run/b', 'run'].map(actorId);
    const text = fc.oneof(
      fc.string({ unit: 'grapheme' }),
      fc.constantFrom(
        '',
        ...ids,
        'run/a/b',
        `${runOfSleepers}:run/a:3:1`,
        runOfSleepers,
        'x'.repeat(300),
      ),
    );
    const { tree } = fc.letrec((tie) => ({
      tree: fc.oneof(
        { depthSize: 'small', withCrossShrink: true },
        fc.oneof(
          text,
          fc.double({ noNaN: true, noDefaultInfinity: true }),
          fc.integer(),
          fc.maxSafeInteger(),
          fc.boolean(),
          fc.constant(null),
        ),
        fc.array(tie('tree'), { maxLength: 4 }),
        fc.dictionary(fc.oneof(text, fc.constantFrom('name', '__proto__', 'a', 'b')), tie('tree'), {
          maxKeys: 4,
        }),
      ),
    }));
    let withTemplate = 0;
    const sleeps = (id: ActorId, value: unknown) => {
      const changed = { ...withContext(actor, { value } as JsonObject), id };
      const sleeper = { actor: changed, previousDigest: null, begins: false };
      const bytes = written(writer, sleeper);
      if (bytes.template !== 0) withTemplate += 1;
      const again = read(reader, bytes, id);
      expect(JSON.stringify(allOf(again))).toBe(JSON.stringify(allOf(sleeper)));
      expect(actorHash(again.actor.state)).toBe(actorHash(changed.state));
      writer.release(bytes.template);
    };
    fc.assert(
      fc.property(fc.shuffledSubarray(ids, { minLength: 2 }), tree, tree, (of, one, other) => {
        for (const id of of) sleeps(id, one);
        for (const id of of) sleeps(id, [one, other]);
        for (const id of of) sleeps(id, [other, one]);
      }),
    );
    expect(withTemplate).toBeGreaterThan(100);
  });

  test('bytes that are cut or too long are not an actor', () => {
    const [codec] = threads();
    const cut = (bytes: Written): Written => ({ ...bytes, length: bytes.length - 1 });
    const longer = (bytes: Written): Written => {
      const more = Buffer.concat([bytes.bytes, Buffer.from([0])]);
      return { ...bytes, bytes: more, length: more.length };
    };
    const found = [1, 2, 3].map((number) => {
      const bytes = written(codec, sleepingAgent(number));
      const id = sleeperId(number);
      expect(() => allOf(read(codec, cut(bytes), id))).toThrow();
      expect(() => allOf(read(codec, longer(bytes), id))).toThrow('ends');
      expect(allOf(read(codec, bytes, id))).toEqual(allOf(sleepingAgent(number)));
      return bytes.template;
    });
    expect(found[0]).toBe(0);
    expect(found[2]).not.toBe(0);
  });

  test('what actors share is frozen, and nobody changes it for the others', () => {
    const [codec] = threads();
    for (const number of [1, 2]) written(codec, sleepingAgent(number));
    const bytes = written(codec, sleepingAgent(3));
    const context = actorToJson(read(codec, bytes, sleeperId(3)).actor).state.context;
    expect(Object.isFrozen(context)).toBe(false);
    expect(Object.isFrozen(context.answers)).toBe(true);
  });
});

describe('templates', () => {
  test('what agents have in common is written once, their documents never', () => {
    const memory = memoryOf(4);
    const { codec } = thread(memory);
    const first = written(codec, sleepingAgent(1)).length;
    const sizes = [2, 3, 4].map((number) => written(codec, sleepingAgent(number)).length);
    expect(sizes.at(-1)).toBeLessThan(first / 20);
    const secret = 'only of this one';
    for (const number of [5, 6]) {
      const sleeper = sleepingAgent(number, `${secret} ${number} ${'d'.repeat(1_000)}`);
      expect(written(codec, sleeper).length).toBeGreaterThan(2_000);
    }
    expect(Buffer.from(memory).includes(secret)).toBe(false);
  });

  test('an actor alone has none, however often it sleeps (T2)', () => {
    const { codec, templates } = thread(memoryOf(4));
    for (let round = 0; round < 4; round += 1) {
      expect(written(codec, sleepingAgent(1)).template).toBe(0);
    }
    expect(templates.count).toBe(0);
  });

  test('one is kept while a snapshot uses it, and freed when none does', () => {
    const { codec, templates } = thread(memoryOf(4));
    const step = (name: string) => (number: number) => {
      const agent = sleepingAgent(number);
      const context = { ...actorToJson(agent.actor).state.context, [name]: 0 };
      return written(codec, { ...agent, actor: withContext(agent.actor, context) }).template;
    };
    const used = Array.from({ length: entries }, (_, index) => {
      const sleep = step(`name${index}`);
      sleep(1);
      return sleep(2);
    });
    expect(used).not.toContain(0);
    expect(templates.count).toBe(entries);
    const another = step('another');
    another(1);
    // No entry is left, and each of them has a user.
    expect(another(2)).toBe(0);
    codec.release(used[3] ?? 0);
    expect(another(1)).toBe(used[3]);
    // Its snapshots are still read, with the one that took its place.
    expect(step('name3')(1)).toBe(0);
    expect(templates.reclaim()).toBe(0);
    codec.release(used[3] ?? 0);
    expect(templates.reclaim()).toBe(1);
    expect(templates.count).toBe(entries - 1);
  });

  test('a thread that knows a template which is gone does not use the one in its place', () => {
    const memory = memoryOf(4);
    const { codec, templates } = thread(memory);
    const other = thread(memory).codec;
    written(codec, sleepingAgent(1));
    const old = written(codec, sleepingAgent(2));
    expect(allOf(read(other, old, sleeperId(2)))).toEqual(allOf(sleepingAgent(2)));
    codec.release(old.template);
    expect(templates.reclaim()).toBe(1);
    const longer = (number: number) => {
      const agent = sleepingAgent(number);
      const context = { ...actorToJson(agent.actor).state.context, more: [1, 2, 3] };
      return { ...agent, actor: withContext(agent.actor, context) };
    };
    written(other, longer(1));
    for (let tries = 0; tries < entries; tries += 1) {
      const bytes = written(other, longer(2));
      expect(allOf(read(codec, bytes, sleeperId(2)))).toEqual(allOf(longer(2)));
    }
    expect(written(codec, sleepingAgent(3)).template).toBe(0);
  });

  test('a damaged template is not believed', () => {
    const memory = memoryOf(4);
    const { codec } = thread(memory);
    for (const number of [1, 2]) written(codec, sleepingAgent(number));
    const bytes = written(codec, sleepingAgent(3));
    const at = Buffer.from(memory).indexOf('{{document.text}}');
    expect(at).toBeGreaterThan(0);
    const all = Buffer.from(memory);
    all.writeUInt8(all.readUInt8(at) ^ 1, at);
    const names = new SnapshotNames(runOfSleepers, sleeperId(3));
    expect(thread(memory).codec.decode('', bytes.template, names)).toBeNull();
  });
});
