/**
 * What a generation is for, guessed from words of its prompt and the shape of
 * its answer. It knows English only and understands nothing; a wrong guess
 * costs speed or quality, never privacy.
 */
import { type TaskClass, taskClasses } from '../actors/routing-policy.ts';
import type { JsonObject } from '../kernel/json.ts';
import type { GenerationRequest } from './model-port.ts';

export interface Classification {
  readonly taskClass: TaskClass;
  /** Words that spoke for it, for people. */
  readonly evidence: string;
}

/** Whoever classifies: words here, a model elsewhere. */
export interface TaskClassifier {
  classify(request: Pick<GenerationRequest, 'messages' | 'schema'>): Classification;
}

interface Sign {
  readonly taskClass: TaskClass;
  readonly weight: number;
  readonly pattern: RegExp;
}

function sign(taskClass: TaskClass, weight: number, pattern: RegExp): Sign {
  return { taskClass, weight, pattern };
}

/** Of the words that tell a task, the rarer in other tasks weigh more. */
const signs: readonly Sign[] = [
  sign('tool-call', 5, /"(?:args|parameters|arguments)"\s*:/i),
  sign('tool-call', 2, /\b(?:available|these|with) tools\b|\btools:/i),
  sign('tool-call', 3, /\btool result:/i),
  sign(
    'tool-call',
    2,
    /^(?:please )?(?:look up|open|send|book|pay|remind|translate|calculate|add)\b/im,
  ),
  sign(
    'plan',
    4,
    /\b(?:you plan|make a (?:step list|plan)|which (?:steps|tools)|into steps|step by step)\b/i,
  ),
  sign('plan', 4, /^plan\b[^\n]{0,20}:|\bplan:/im),
  sign('plan', 2, /\bfirst\b[^.]*\bthen\b/i),
  sign('check', 5, /\bclaim:|\bsupported\?|\bcheck the claim\b/i),
  sign('check', 4, /\b(?:verify|fact-check|is it true|true or false|contradict)/i),
  sign('decision', 5, /\boptions:/i),
  sign(
    'decision',
    4,
    /\b(?:you decide|make a decision|choose (?:an|the|one)|decide (?:which|whether))\b/i,
  ),
  sign('summary', 5, /\b(?:summari[sz]e|summary|in one sentence|key sentence|tl;dr)\b/i),
  sign(
    'summary',
    5,
    /\bbrief (?:of|from)\b|\bshort (?:bullet )?brief\b|\binto a brief\b|\byou write briefs\b|\bbullet points?\b|\bas bullets\b/i,
  ),
  sign(
    'routing',
    4,
    /\b(?:route (?:this|the|requests)|a router|which team|assign this|classify)\b/i,
  ),
  sign('routing', 4, /\bteams:|\bone of:/i),
  sign('extraction', 5, /\{\s*"\w+"\s*:\s*\[\s*\]/),
  sign('extraction', 4, /\b(?:extract|fill (?:in|this form)|fields)\b/i),
  sign('extraction', 4, /\b(?:find|get|give me|list) (?:the|all)\b[^.?]*\b(?:in|from)\b[^.?]*:/i),
  sign('question', 4, /\bquestion:/i),
  sign('question', 2, /\?\s*$/),
  sign('question', 1, /\b(?:facts|context|passage|text):/i),
  sign('question', 1, /^(?:who|what|when|where|which|how|why)\b/i),
  sign(
    'chat',
    3,
    /^(?:hi|hello|hey|thanks|thank you|bye|goodbye|good (?:morning|evening|day|night)|help)\b.{0,24}$/i,
  ),
  sign(
    'chat',
    3,
    /\b(?:introduce yourself|what can you do|who are you|how (?:are you|is it going))\b/i,
  ),
];

/** A longer prompt without a sign is taken for a question. */
const chatCharactersMax = 60;

function matchOf({ pattern }: Sign, text: string): string | null {
  return pattern.exec(text)?.[0].trim().slice(0, 40) ?? null;
}

/** What the form of the answer tells. */
function shapeOf(schema: JsonObject | null): { taskClass: TaskClass; weight: number } | null {
  const properties = schema?.properties;
  if (typeof properties !== 'object' || properties === null) return null;
  const names = Object.keys(properties);
  if (names.includes('tool') && names.includes('args'))
    return { taskClass: 'tool-call', weight: 5 };
  if (names.includes('steps')) return { taskClass: 'plan', weight: 4 };
  if (names.includes('supported')) return { taskClass: 'check', weight: 4 };
  if (names.length === 1 && JSON.stringify(properties).includes('"enum"')) {
    return { taskClass: 'routing', weight: 4 };
  }
  return null;
}

export const lexicalClassifier: TaskClassifier = {
  classify({ messages, schema }) {
    const scores = new Map<TaskClass, { weight: number; words: string[] }>();
    const add = (taskClass: TaskClass, weight: number, words: string): void => {
      const score = scores.get(taskClass) ?? { weight: 0, words: [] };
      score.weight += weight;
      score.words.push(words);
      scores.set(taskClass, score);
    };
    const asked = messages.filter(({ role }) => role !== 'assistant');
    const text = asked.map(({ content }) => content).join('\n');
    const last = asked.at(-1)?.content.trim() ?? '';
    for (const each of signs) {
      // A greeting is one only when nothing else is said.
      const words = matchOf(each, each.taskClass === 'chat' ? last : text);
      if (words !== null) add(each.taskClass, each.weight, `"${words}"`);
    }
    const shape = shapeOf(schema);
    if (shape !== null) add(shape.taskClass, shape.weight, 'the form of the answer');
    return best(scores) ?? withoutSigns(last);
  },
};

function best(scores: ReadonlyMap<TaskClass, { weight: number; words: string[] }>) {
  let found: (Classification & { readonly weight: number }) | null = null;
  for (const taskClass of taskClasses) {
    const score = scores.get(taskClass);
    if (score === undefined || score.weight <= (found?.weight ?? 0)) continue;
    found = { taskClass, weight: score.weight, evidence: score.words.join(', ') };
  }
  return found === null ? null : { taskClass: found.taskClass, evidence: found.evidence };
}

function withoutSigns(text: string): Classification {
  const taskClass = text.length <= chatCharactersMax ? 'chat' : 'question';
  return { taskClass, evidence: `no sign, ${text.length} characters` };
}
