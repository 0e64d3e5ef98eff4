/**
 * The inference worker's thread: opens the model, serves the bus, and closes
 * in order. It may only end when nothing of the model is running, because
 * ending a thread inside llama.cpp ends the process.
 */
import { setTimeout } from 'node:timers/promises';
import { isMainThread, workerData } from 'node:worker_threads';
import { type BusMessage, openEndpoint } from '../../bus/endpoint.ts';
import { openModel } from '../../inference/open-model.ts';
import { assert } from '../../kernel/assert.ts';
import { toErrorMessage } from '../../kernel/errors.ts';
import { type InferenceWorkerData, inferenceTopics, type StatusMessage } from './protocol.ts';
import { InferenceService } from './service.ts';

assert(!isMainThread, 'the inference worker runs on a thread of its own');

const retryMs = 5;

const { spec, owner, model: settings } = workerData as InferenceWorkerData;
const endpoint = openEndpoint(spec);
const model = openModel(settings);
const service = new InferenceService(endpoint, model);

/** Tells the owner; only a flooded one has to be asked again. */
async function report(status: StatusMessage): Promise<void> {
  while (!endpoint.send(owner, inferenceTopics.status, status)) await setTimeout(retryMs);
}

async function close(): Promise<void> {
  await service.close();
  await report({ type: 'closed' });
  while (!endpoint.flush()) await setTimeout(retryMs);
  endpoint.close();
}

let closing = false;
endpoint.listen((message: BusMessage) => {
  if (service.handle(message) || message.topic !== inferenceTopics.close || closing) return;
  closing = true;
  void close();
});

model.then(
  (port) => report({ type: 'ready', info: port.info }),
  (error: unknown) => report({ type: 'failed', error: toErrorMessage(error) }),
);
