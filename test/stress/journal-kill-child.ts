/**
 * A process that appends through the journal worker and says, one number a
 * line, which event sequences it was told are durable. It is made to be killed.
 */
import { writeSync } from 'node:fs';
import { createBus, openEndpoint, seatOf } from '../../src/bus/endpoint.ts';
import { allocateJournalMemory, JournalProducer } from '../../src/journal/journal-producer.ts';
import { actorId, newRunId } from '../../src/kernel/ids.ts';
import { startJournalWorker } from '../../src/runtime/journal-worker/client.ts';
import { journalThread, mainThread, topics } from '../../src/runtime/topics.ts';
import { EventChain } from '../journal/event-chain.ts';

const [dataDirectory = ''] = process.argv.slice(2);
const bus = createBus({
  threads: [
    { id: mainThread, name: 'main', waits: 'event-loop' },
    { id: journalThread, name: 'journal', waits: 'atomics' },
  ],
  topics: [topics.durable],
});
const endpoint = openEndpoint(seatOf(bus, mainThread).spec);
endpoint.subscribe(topics.durable);
const client = await startJournalWorker({
  dataDirectory,
  seat: seatOf(bus, journalThread),
  segmentBytes: 64 * 1024,
  memory: allocateJournalMemory(64 * 1024),
});
endpoint.on(topics.durable, (notice) => client.deliver(notice));
endpoint.listen();

const producer = new JournalProducer(client.memory, endpoint.index);
const run = newRunId();
const source = new EventChain(actorId('run/writer'), run);
const waiting: { position: number; sequence: number }[] = [];
let sequence = 0;

client.onDurable(({ position }) => {
  let told = 0;
  while ((waiting[0]?.position ?? Number.POSITIVE_INFINITY) <= position) {
    told = waiting.shift()?.sequence ?? 0;
  }
  // The line names the run, because every start of this process makes a new one.
  if (told > 0) writeSync(1, `${run} ${told}\n`);
  appendSome();
});

function appendSome(): void {
  for (let count = 0; count < 20; count += 1) {
    sequence += 1;
    const position = producer.append([source.next(`{"n":${sequence},"x":"${'x'.repeat(300)}"}`)]);
    waiting.push({ position, sequence });
  }
}

appendSome();
