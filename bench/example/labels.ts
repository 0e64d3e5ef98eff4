/** What is right about one message: the truth that the report is scored against. */
import { z } from 'zod';

export const labelSchema = z.strictObject({
  /** File name of the message. */
  document: z.string(),
  route: z.string(),
  /** Values as they stand in the body of the message, each once. */
  names: z.array(z.string()),
  places: z.array(z.string()),
  dates: z.array(z.string()),
  amounts: z.array(z.string()),
  /** Every answer that a person would call right; none where the message does not say. */
  answers: z.array(z.string()),
  /** The calls that the message asks for, with their results, in its order. */
  calls: z.array(
    z.union([
      z.strictObject({
        tool: z.literal('calc'),
        args: z.strictObject({
          op: z.enum(['add', 'sub', 'mul', 'div']),
          a: z.number(),
          b: z.number(),
        }),
        result: z.number(),
      }),
      z.strictObject({
        tool: z.literal('read_file'),
        args: z.strictObject({ path: z.string() }),
        result: z.string(),
      }),
    ]),
  ),
});

export type MessageLabel = z.output<typeof labelSchema>;

export interface LabelledMessage {
  readonly text: string;
  readonly label: MessageLabel;
}
