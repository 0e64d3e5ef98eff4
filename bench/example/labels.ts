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
  /** Every answer that a person would call right. */
  answers: z.array(z.string()).min(1),
  /** The call that the message asks for, with its result, or null. */
  tool: z
    .union([
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
    ])
    .nullable(),
});

export type MessageLabel = z.output<typeof labelSchema>;

export interface LabelledMessage {
  readonly text: string;
  readonly label: MessageLabel;
}
