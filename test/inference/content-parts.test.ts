/** Images and recordings in messages: carried whole, or refused by name. */
import { afterEach, describe, expect, it } from 'vitest';
import { EndpointClient } from '../../src/inference/endpoint-client.ts';
import { openLlamaModel } from '../../src/inference/llama-model.ts';
import {
  type ChatMessage,
  type ContentPart,
  generationRequestSchema,
  refuseOtherParts,
} from '../../src/inference/model-port.ts';
import { OpenAiModel } from '../../src/inference/openai-model.ts';
import { limits } from '../../src/kernel/limits.ts';
import { sayWhole, startEndpointServer } from './endpoint-server.ts';
import { embeddedModelFile, request } from './requests.ts';

const opened: { close(): Promise<void> }[] = [];

afterEach(async () => {
  for (const each of opened.splice(0).reverse()) await each.close();
});

const bytes = Buffer.from(Array.from({ length: 999 }, (_, index) => index % 256));
const image: ContentPart = {
  type: 'image',
  mediaType: 'image/png',
  base64: bytes.toString('base64'),
};
const audio: ContentPart = {
  type: 'audio',
  format: 'wav',
  base64: bytes.toString('base64url').slice(0, 4),
};

const showing = (content: string, ...parts: ContentPart[]) =>
  request('', { messages: [{ role: 'user', content, parts }] });

describe('images and recordings', () => {
  it('go to an endpoint whole, after the text', async () => {
    const server = await startEndpointServer((response) => sayWhole(response, 'A gradient.'));
    const model = new OpenAiModel(new EndpointClient(server.baseUrl, null), 'm');
    opened.push(server, model);
    expect(model.info.parts).toEqual({ image: true, audio: true });
    const outcome = await model.generate(showing('What is this?', image, audio));
    expect(outcome.text).toBe('A gradient.');
    await model.generate(showing('', image));
    const sent = server.calls.map(({ body }) => body.messages[0]?.content);
    const url = `data:image/png;base64,${bytes.toString('base64')}`;
    expect(sent).toEqual([
      [
        { type: 'text', text: 'What is this?' },
        { type: 'image_url', image_url: { url } },
        { type: 'input_audio', input_audio: { data: audio.base64, format: 'wav' } },
      ],
      [{ type: 'image_url', image_url: { url } }],
    ]);
  });

  it('are refused by name where the model reads text alone', async () => {
    const file = embeddedModelFile;
    const model = await openLlamaModel({ file, trusted: true, device: 'cpu', cores: 2 });
    opened.push(model);
    for (const part of [image, audio]) {
      await expect(model.generate(showing('What is this?', part))).rejects.toMatchObject({
        code: 'CONTENT_UNSUPPORTED',
        retryable: false,
        details: { part: part.type },
      });
    }
    expect((await model.generate(request('Hello!'))).finish).toBe('stop');
  });

  it('are refused each for itself, in any message', () => {
    const messages: ChatMessage[] = [
      { role: 'user', content: 'Look.', parts: [image] },
      { role: 'assistant', content: 'I see.' },
      { role: 'user', content: 'Listen.', parts: [image, audio] },
    ];
    const name = 'm';
    expect(() =>
      refuseOtherParts(messages, { name, parts: { image: true, audio: false } }),
    ).toThrow('The model m takes no audio in a message');
    expect(() => refuseOtherParts(messages, { name })).toThrow('takes no image');
    refuseOtherParts(messages, { name, parts: { image: true, audio: true } });
    refuseOtherParts([{ role: 'user', content: 'Hello!' }], { name });
  });

  const changed = (part: object, role = 'user') => ({
    ...request(''),
    messages: [{ role, content: 'x', parts: [part] }],
  });

  it.each<[string, unknown]>([
    ['an address', changed({ ...image, base64: 'https://example.org/a.png' })],
    ['another kind of image', changed({ ...image, mediaType: 'image/svg+xml' })],
    ['text that is no base64', changed({ ...image, base64: 'a b' })],
    ['no bytes', changed({ ...image, base64: '' })],
    [
      'too many bytes',
      changed({ ...image, base64: 'a'.repeat(limits.messagePartCharactersMax + 1) }),
    ],
    ['a part of the assistant', changed(image, 'assistant')],
    ['a part of nothing known', changed({ type: 'video', base64: 'aaaa' })],
    [
      'too many',
      {
        ...request(''),
        messages: [
          { role: 'user', content: 'x', parts: Array(limits.messagePartsMax + 1).fill(image) },
        ],
      },
    ],
    ['an empty list', { ...request(''), messages: [{ role: 'user', content: 'x', parts: [] }] }],
  ])('are no part of a request that holds %s', (_, asked) => {
    expect(generationRequestSchema.safeParse(asked).success).toBe(false);
  });

  it('are part of a request up to their limit', () => {
    const asked = changed({ ...image, base64: 'a'.repeat(limits.messagePartCharactersMax) });
    expect(generationRequestSchema.safeParse(asked).success).toBe(true);
  });
});
