import { actorId } from '../kernel/ids.ts';

/** The first actor of every run. */
export const rootActor = actorId('run');
