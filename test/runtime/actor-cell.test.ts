import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Actor, type Envelope, newActor, type Sender } from '../../src/actors/actor.ts';
import { actorId, newRunId } from '../../src/kernel/ids.ts';
import { limits } from '../../src/kernel/limits.ts';
import { ActorCell } from '../../src/runtime/actor-cell.ts';

const run = newRunId();
const self = actorId('run/agent');

function cellOf(received: Actor['received'] = {}): ActorCell {
  return new ActorCell({ ...newActor(run, self, 'agent'), received }, 1, null, 0);
}

function message(from: Sender, number: number): Envelope {
  return { run, to: self, from, number, cause: null, event: { type: 'cancel' }, machine: null };
}

function outcome(tag: string): Envelope {
  const event = { type: 'outcome', tag, outcome: { status: 'completed', value: null } } as const;
  return { run, to: self, from: '@actuator', number: 0, cause: null, event, machine: null };
}

function readAll(cell: ActorCell): Envelope[] {
  const read: Envelope[] = [];
  for (let next = cell.next(); next !== undefined; next = cell.next()) read.push(next);
  return read;
}

const senders = ['run', 'run/a', 'run/b'].map((id) => actorId(id));

describe('the mailbox of a cell (C1)', () => {
  test('whatever the order and the duplicates, each sender is read in its order, once', () => {
    const sent = fc.tuple(fc.nat(12), fc.nat(12), fc.nat(12)).chain((counts) => {
      const all = senders.flatMap((from, index) =>
        Array.from({ length: counts[index] ?? 0 }, (_, number) => message(from, number + 1)),
      );
      const some = all.length === 0 ? fc.constant([]) : fc.array(fc.constantFrom(...all));
      return fc.record({
        all: fc.constant(all),
        arriving: some.chain((more) =>
          fc.shuffledSubarray([...all, ...more], { minLength: all.length + more.length }),
        ),
        readAfter: fc.nat(20),
      });
    });
    fc.assert(
      fc.property(sent, ({ all, arriving, readAfter }) => {
        const cell = cellOf();
        const read: Envelope[] = [];
        arriving.forEach((envelope, index) => {
          cell.accept(envelope);
          if (index === readAfter) read.push(...readAll(cell));
        });
        read.push(...readAll(cell));
        for (const from of senders) {
          const numbers = read.filter((envelope) => envelope.from === from).map((e) => e.number);
          expect(numbers).toEqual(all.filter((e) => e.from === from).map((e) => e.number));
        }
        expect(cell.isQuiet).toBe(true);
      }),
    );
  });

  test('a cell of an actor with a past continues each sender where it stopped', () => {
    const cell = cellOf({ run: 3 });
    for (const number of [3, 5, 4, 4]) cell.accept(message(actorId('run'), number));
    expect(readAll(cell).map(({ number }) => number)).toEqual([4, 5]);
  });

  test('a message that came too early keeps the cell from being quiet', () => {
    const cell = cellOf();
    cell.accept(message(actorId('run'), 2));
    expect([cell.mail, cell.isQuiet]).toEqual([0, false]);
    expect(cell.drainAll().map(({ number }) => number)).toEqual([2]);
    expect(cell.isQuiet).toBe(true);
  });

  test('outcomes are taken as they come: their keys order them, not numbers', () => {
    const cell = cellOf();
    cell.accept(outcome('tool'));
    cell.accept(outcome('tool'));
    expect(cell.mail).toBe(2);
  });

  test('a mailbox that would outgrow its bound is a broken invariant', () => {
    const cell = cellOf();
    for (let number = 1; number <= limits.mailboxMax; number += 1) {
      cell.accept(message(actorId('run'), number));
    }
    expect(() => cell.accept(message(actorId('run/a'), 1))).toThrow('within its bound');
  });
});
