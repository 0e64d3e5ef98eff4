/**
 * The disposable process of load-probe.ts: loads the model file of its one
 * argument as the runtime would, on the CPU, and ends with status 0.
 */
import { openLlamaModel } from './llama-model.ts';

const [, , file] = process.argv;
if (file === undefined) throw new Error('the probe takes a model file');
const model = await openLlamaModel({ file, trusted: true, device: 'cpu', cores: 2 });
await model.close();
