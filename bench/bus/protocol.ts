import type { EndpointSpec } from '../../src/bus/endpoint.ts';
import type { BroadcastTask } from './broadcast-contender.ts';
import type { EndpointTask } from './endpoint-contender.ts';
import type { EndpointTripTask } from './endpoint-trips.ts';
import type { FramesTask } from './frames-contender.ts';
import type { LeasesTask } from './leases-contender.ts';
import type { ObjectsTask } from './objects-contender.ts';
import type { PortTask } from './port-contender.ts';
import type { PortTripTask } from './port-trips.ts';
import type { RingbufTask } from './ringbuf-contender.ts';
import type { ServeTask } from './tasks-contender.ts';
import type { WordTripTask } from './word-trips.ts';

/** The seats of a worker on the bus of the benchmark, as its worker data. */
export interface WorkerSeats {
  readonly parked: EndpointSpec;
  readonly loop: EndpointSpec;
}

/** What the main thread of the benchmark asks of a worker. */
export type BusTask =
  | FramesTask
  | EndpointTask
  | PortTask
  | BroadcastTask
  | RingbufTask
  | LeasesTask
  | ObjectsTask
  | ServeTask
  | WordTripTask
  | PortTripTask
  | EndpointTripTask;

/** The worker's answer when its part is done: the times that it measured in µs, if any. */
export interface TaskDone {
  readonly timesUs: readonly number[];
}
