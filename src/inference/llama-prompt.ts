/**
 * Renders conversations as tokens, in the chat format of the model file.
 * Texts of messages never become special tokens, so a document cannot end its
 * own turn.
 */
import type { ChatHistoryItem, LlamaText, LlamaModel as NativeModel, Token } from 'node-llama-cpp';
import type { ChatMessage } from './model-port.ts';

type LlamaModule = typeof import('node-llama-cpp');

export interface RenderedPrompt {
  readonly tokens: readonly Token[];
  /** A token that ends the turn beside the model's own end tokens. */
  readonly stopTokens: ReadonlySet<Token>;
  /** Plain texts that end the turn. */
  readonly stopTexts: readonly string[];
}

/** Answers a function that renders conversations for this model. */
export function createPromptRenderer(
  llama: LlamaModule,
  model: NativeModel,
  options: { withoutBeginToken: boolean },
): (messages: readonly ChatMessage[]) => RenderedPrompt {
  const wrapper = llama.resolveChatWrapper(model, { warningLogs: false });
  const beginToken = options.withoutBeginToken ? model.tokens.bos : null;
  return (messages) => {
    const history: ChatHistoryItem[] = messages.map(toHistoryItem);
    // The open turn of the assistant is what the model continues.
    if (messages.at(-1)?.role !== 'assistant') history.push({ type: 'model', response: [] });
    const { contextText, stopGenerationTriggers } = wrapper.generateContextState({
      chatHistory: history,
    });
    const tokens = contextText.tokenize(model.tokenizer);
    if (beginToken !== null && tokens[0] === beginToken) tokens.shift();
    return { tokens, ...stops(model, stopGenerationTriggers) };
  };
}

function toHistoryItem(message: ChatMessage): ChatHistoryItem {
  switch (message.role) {
    case 'system':
      return { type: 'system', text: message.content };
    case 'user':
      return { type: 'user', text: message.content };
    case 'assistant':
      return { type: 'model', response: [message.content] };
  }
}

function stops(
  model: NativeModel,
  triggers: readonly LlamaText[],
): { stopTokens: ReadonlySet<Token>; stopTexts: string[] } {
  const stopTokens = new Set<Token>();
  const stopTexts: string[] = [];
  for (const trigger of triggers) {
    const tokens = trigger.tokenize(model.tokenizer);
    const [only] = tokens;
    if (tokens.length === 1 && only !== undefined && model.isSpecialToken(only))
      stopTokens.add(only);
    else if (trigger.values.every((value) => typeof value === 'string')) {
      stopTexts.push(trigger.values.join(''));
    }
  }
  return { stopTokens, stopTexts: stopTexts.filter((text) => text !== '') };
}
