/**
 * Where the text of a template comes from: which of the things that a step can
 * read it names. Pure, and by its names alone, so that what a condition in a
 * template reads counts like what it prints.
 *
 * Invariants
 *   T1. A name inside a section may belong to the element of a list or to the
 *       whole; it counts as the whole, so that nothing read is missed.
 *   T2. `{{.}}` outside every section is everything that there is.
 */
import { compileTemplate, type Template, templateReferences } from './template.ts';

/**
 * `document`: its text. `steps.ID`: the result of a step. `steps`: all results.
 * `items`: the results of all documents. `each`: the element at work. Any other
 * word stands for itself.
 */
export type Source = string;

/** Of a document, what everybody who lists the run sees anyway. */
const openOfDocument = new Set(['name', 'part']);

/** The source that a dotted path reads, or null where it reads nothing that can have a label. */
export function sourceOfPath(path: string): Source | null {
  const [head = '', second] = path.split('.');
  if (head === 'run') return null;
  if (head === 'document' && second !== undefined && openOfDocument.has(second)) return null;
  return head === 'steps' && second !== undefined ? `steps.${second}` : head;
}

/** What `{{.}}` reads where no element stands for it (T2). */
const everything: readonly Source[] = [
  ...['document', 'steps', 'items', 'each'],
  ...['question', 'answer', 'reasons', 'critique', 'debate', 'facts', 'results'],
];

function readsEverything(nodes: Template): boolean {
  return nodes.some((node) => {
    if (node.type === 'text') return false;
    if (node.name === '.') return true;
    // What is inside an inverted section stands for nothing else.
    return node.type === 'section' && node.inverted && readsEverything(node.body);
  });
}

const remembered = new Map<string, readonly Source[]>();
const rememberedMax = 256;

/**
 * Every source that the template reads (T1), each once.
 * @throws RuntimeError PIPELINE_INVALID when the text is no template.
 */
export function templateSources(template: string): readonly Source[] {
  const known = remembered.get(template);
  if (known !== undefined) return known;
  const sources = templateReferences(template).flatMap(({ name }) => sourceOfPath(name) ?? []);
  const whole = readsEverything(compileTemplate(template)) ? everything : [];
  const found = [...new Set([...sources, ...whole])];
  // Remembering changes no result.
  if (remembered.size >= rememberedMax) remembered.clear();
  remembered.set(template, found);
  return found;
}
