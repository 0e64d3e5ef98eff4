/**
 * The inference worker's thread: opens the model, serves the bus, and closes
 * in order. It may only end when nothing of the model is running, because
 * ending a thread inside llama.cpp ends the process.
 */
import { isMainThread, workerData } from 'node:worker_threads';
import { openEndpoint, type Reservation } from '../../bus/endpoint.ts';
import { openRoutedModels } from '../../inference/routed-models.ts';
import { assert } from '../../kernel/assert.ts';
import { toErrorMessage } from '../../kernel/errors.ts';
import { mainThread, topics } from '../topics.ts';
import { ModelsService } from './models-service.ts';
import type { InferenceWorkerData, StatusMessage } from './protocol.ts';
import { InferenceService } from './service.ts';

assert(!isMainThread, 'the inference worker runs on a thread of its own');

const { spec, models: settings } = workerData as InferenceWorkerData;
const endpoint = openEndpoint(spec);
const models = openRoutedModels(settings);
const service = new InferenceService(endpoint, models);
const about = new ModelsService(models);

/** Tells main, once with each place; neither news may be refused. */
function report(place: Reservation | null, status: StatusMessage): void {
  assert(place !== null, 'the outbox is empty at the start');
  place.send(mainThread, topics.modelStatus, status);
}

const opened = endpoint.reserve();
const ended = endpoint.reserve();

let closing = false;
async function close(): Promise<void> {
  if (closing) return;
  closing = true;
  await service.close();
  report(ended, { type: 'closed' });
  await endpoint.leave();
}

endpoint.onReserved(topics.generate, (body, header, place) =>
  service.generate(body, header, place),
);
endpoint.on(topics.abortGeneration, (body, header) => service.abort(body, header));
endpoint.on(topics.runEnded, ({ run }) => void service.forget(run));
endpoint.onReserved(topics.models, (_body, header, place) => about.list(header, place));
endpoint.onReserved(topics.reloadModel, (body, header, place) => about.reload(body, header, place));
endpoint.on(topics.close, () => void close());
endpoint.listen();

models.then(
  (port) => report(opened, { type: 'ready', info: port.info }),
  (error: unknown) => report(opened, { type: 'failed', error: toErrorMessage(error) }),
);
