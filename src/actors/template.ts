/**
 * Prompts and files are Mustache templates, rendered without HTML escaping.
 *
 * The mustache package parses; this file renders, because prompts need rules of
 * their own and a template is written by people nobody vouches for.
 *
 * Invariants
 *   T1. Rendering is pure: same template and variables, same text.
 *   T2. Only own properties of the variables are read, and nothing is called:
 *       a template cannot reach a prototype or run code.
 *   T3. A list or object renders as JSON with a space after `:` and `,`, the
 *       form in which models are used to see it. A missing value renders as
 *       nothing.
 *   T4. Partials and changed delimiters are refused: a template is whole.
 *   T5. Nesting is bounded, and so is the cache, which changes no result.
 */
import mustache from 'mustache';
import { RuntimeError } from '../kernel/errors.ts';
import { limits } from '../kernel/limits.ts';

type TemplateNode =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'variable'; readonly name: string; readonly offset: number }
  | {
      readonly type: 'section';
      readonly inverted: boolean;
      readonly name: string;
      readonly offset: number;
      readonly body: Template;
    };

/** A parsed template. */
export type Template = readonly TemplateNode[];

/** A name that a template reads. */
export interface TemplateReference {
  /** Dotted path, such as `document.text`. */
  readonly name: string;
  /** Where its tag begins, in UTF-16 units from 0. */
  readonly offset: number;
  /** Inside a section, where the name may belong to the element of a list. */
  readonly nested: boolean;
}

const tags: [string, string] = ['{{', '}}'];
const namePattern = /^(\.|[^\s.{}]+(\.[^\s.{}]+)*)$/;

class TemplateParser extends mustache.Writer {
  // The package keeps every template it ever parsed; ours is bounded (T5).
  templateCache = undefined;
}
const parser = new TemplateParser();
const compiled = new Map<string, Template>();

/**
 * Parses a template.
 * @throws RuntimeError PIPELINE_INVALID, with the place in `details.offset`
 * (UTF-16 units from 0), when it is not one.
 */
export function compileTemplate(text: string): Template {
  const known = compiled.get(text);
  if (known !== undefined) return known;
  const template = toNodes(parseTokens(text), 0);
  if (compiled.size >= limits.compiledTemplatesMax) compiled.clear();
  compiled.set(text, template);
  return template;
}

/**
 * Renders a template over plain JSON variables.
 * @throws RuntimeError PIPELINE_INVALID when the text is no template.
 */
export function renderTemplate(text: string, variables: Readonly<Record<string, unknown>>): string {
  return renderNodes(compileTemplate(text), [variables]);
}

/**
 * Names and dotted paths that the template reads from its variables, each
 * once, in order; those inside a section are left out, because they may belong
 * to the element of its list.
 * @throws RuntimeError PIPELINE_INVALID when the text is no template.
 */
export function templateVariables(text: string): string[] {
  const outside = templateReferences(text).filter((reference) => !reference.nested);
  return [...new Set(outside.map((reference) => reference.name))];
}

/**
 * Every name that the template reads, in order.
 * @throws RuntimeError PIPELINE_INVALID when the text is no template.
 */
export function templateReferences(text: string): TemplateReference[] {
  const found: TemplateReference[] = [];
  collectReferences(compileTemplate(text), false, found);
  return found;
}

function collectReferences(nodes: Template, nested: boolean, found: TemplateReference[]): void {
  for (const node of nodes) {
    if (node.type === 'text') continue;
    if (node.name !== '.') found.push({ name: node.name, offset: node.offset, nested });
    if (node.type === 'section') collectReferences(node.body, true, found);
  }
}

function parseTokens(text: string): unknown {
  try {
    return parser.parse(text, tags);
  } catch (error) {
    const found = /^(.*) at (\d+)$/s.exec(error instanceof Error ? error.message : '');
    throw invalidTemplate(found?.[1] ?? 'not a Mustache template', Number(found?.[2] ?? 0), error);
  }
}

/** Trusts the shape that the package documents: [type, value, start, end, children?]. */
function toNodes(tokens: unknown, depth: number): Template {
  const nodes: TemplateNode[] = [];
  for (const token of tokens as [string, string, number, number, unknown][]) {
    const [type, value, offset, , body] = token;
    switch (type) {
      case 'text':
        nodes.push({ type: 'text', text: value });
        break;
      case 'name':
      case '&':
        nodes.push({ type: 'variable', name: checkedName(value, offset), offset });
        break;
      case '#':
      case '^':
        if (depth >= limits.templateNestingMax) {
          throw invalidTemplate(`more than ${limits.templateNestingMax} nested sections`, offset);
        }
        nodes.push({
          type: 'section',
          inverted: type === '^',
          name: checkedName(value, offset),
          offset,
          body: toNodes(body, depth + 1),
        });
        break;
      case '!':
        break;
      default:
        // (T4)
        throw invalidTemplate(`{{${type} }} tags are not supported`, offset);
    }
  }
  return nodes;
}

function checkedName(name: string, offset: number): string {
  if (namePattern.test(name)) return name;
  throw invalidTemplate(`"${name}" is not a variable name`, offset);
}

function invalidTemplate(problem: string, offset: number, cause?: unknown): RuntimeError {
  return new RuntimeError(
    'PIPELINE_INVALID',
    `The template is wrong at character ${offset + 1}: ${problem}.`,
    {
      cause,
      details: { offset, problem },
    },
  );
}

/** The innermost context comes last. */
function renderNodes(nodes: Template, contexts: readonly unknown[]): string {
  let text = '';
  for (const node of nodes) {
    switch (node.type) {
      case 'text':
        text += node.text;
        break;
      case 'variable':
        text += formatValue(lookup(node.name, contexts));
        break;
      case 'section':
        text += renderSection(node, contexts);
        break;
    }
  }
  return text;
}

function renderSection(
  node: Extract<TemplateNode, { type: 'section' }>,
  contexts: readonly unknown[],
): string {
  const value = lookup(node.name, contexts);
  const holds = Array.isArray(value) ? value.length > 0 : Boolean(value);
  if (node.inverted) return holds ? '' : renderNodes(node.body, contexts);
  if (!holds) return '';
  if (!Array.isArray(value)) return renderNodes(node.body, [...contexts, value]);
  return value.map((element) => renderNodes(node.body, [...contexts, element])).join('');
}

/** The innermost context that has the first part of the path decides; the rest is read from there. */
function lookup(name: string, contexts: readonly unknown[]): unknown {
  if (name === '.') return contexts.at(-1);
  const [head, ...rest] = name.split('.') as [string, ...string[]];
  const context = contexts.findLast((candidate) => hasOwn(candidate, head));
  return [head, ...rest].reduce<unknown>(
    (value, part) => (hasOwn(value, part) ? value[part] : undefined),
    context,
  );
}

function hasOwn(value: unknown, key: string): value is Record<string, unknown> {
  // (T2)
  return typeof value === 'object' && value !== null && Object.hasOwn(value, key);
}

function formatValue(value: unknown): string {
  if (value === null || value === undefined || typeof value === 'function') return '';
  if (typeof value === 'object') return spacedJson(value);
  return String(value);
}

/** JSON on one line with a space after `:` and `,` (T3). */
function spacedJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(spacedJson).join(', ')}]`;
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value).filter(([, member]) => member !== undefined);
    const texts = members.map(([key, member]) => `${JSON.stringify(key)}: ${spacedJson(member)}`);
    return `{${texts.join(', ')}}`;
  }
  return JSON.stringify(value) ?? 'null';
}
