/** The actors that sleep, as a line of text. */
import type { HibernationView } from '../runtime/views.ts';
import { bytesText, countText } from './quantity.ts';

export function hibernationLine(view: HibernationView): string {
  const { slots, snapshots, bytes, templates, spilled, damaged } = view;
  return [
    `ASLEEP  ${countText(snapshots)} in shared memory`,
    `actors ${countText(slots.used)}, room for ${countText(slots.free)}`,
    `bytes ${bytesText(bytes.used)}, free ${bytesText(bytes.free)}`,
    `templates ${countText(templates)}`,
    `spilled ${countText(spilled)}`,
    `damaged ${countText(damaged)}`,
  ].join('   ');
}
