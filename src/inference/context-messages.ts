/** How a model sees the items of a context. Pure. */
import type { ContextItem } from '../actors/context-node.ts';
import { canonicalJson } from '../kernel/hash.ts';
import type { ChatMessage } from './model-port.ts';

function messageOf(item: ContextItem): ChatMessage {
  if (item.role !== 'tool') return { role: item.role, content: item.content };
  const { tool, content } = item;
  // Canonical, because the journal keeps no order of keys: live and read back it is one prompt.
  const text = typeof content === 'string' ? content : canonicalJson(content);
  return { role: 'user', content: `Result of ${tool}:\n${text}` };
}

/**
 * The messages of a conversation. Two of one role become one, because some
 * models know strict turns only; appended items extend the prompt and change
 * nothing before.
 */
export function contextMessages(items: Iterable<ContextItem>): ChatMessage[] {
  const messages: ChatMessage[] = [];
  for (const item of items) {
    const message = messageOf(item);
    const last = messages.at(-1);
    if (last?.role !== message.role) messages.push(message);
    else {
      messages[messages.length - 1] = {
        ...last,
        content: `${last.content}\n\n${message.content}`,
      };
    }
  }
  return messages;
}
