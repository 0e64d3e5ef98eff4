/**
 * Answers what is asked about the models themselves. Every question gets one
 * reply, also when the models could not be opened.
 */
import type { FrameHeader, Reservation } from '../../bus/endpoint.ts';
import type { RoutedModels } from '../../inference/routed-models.ts';
import type { ReloadModelMessage } from './protocol.ts';

export class ModelsService {
  readonly #models: Promise<RoutedModels>;

  /** @param models may still be loading, and may fail to */
  constructor(models: Promise<RoutedModels>) {
    this.#models = models;
  }

  list(header: FrameHeader, place: Reservation): void {
    void answer(header, place, async () => (await this.#models).models());
  }

  reload({ name }: ReloadModelMessage, header: FrameHeader, place: Reservation): void {
    void answer(header, place, async () => {
      const models = await this.#models;
      const status = await models.reload(name);
      return { status, info: models.info };
    });
  }
}

async function answer(
  header: FrameHeader,
  place: Reservation,
  work: () => Promise<unknown>,
): Promise<void> {
  try {
    place.reply(header, await work());
  } catch (error) {
    place.replyError(header, error);
  }
}
