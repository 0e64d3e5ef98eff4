/**
 * A file of rules for a redacted export: YAML or JSON.
 *
 *     patterns:
 *       project: Project \w+
 *     fields: [customer, address]
 *     common: false
 *
 * A pattern is a regular expression of JavaScript. A field is the name of a property,
 * in whatever JSON of the run, an answer of a model included: its text is replaced
 * wherever it stands. Without `common: false` the common rules hold too.
 */
import { readFileSync, statSync } from 'node:fs';
import { parse } from 'yaml';
import { z } from 'zod';
import { RuntimeError } from '../kernel/errors.ts';
import { limits } from '../kernel/limits.ts';
import { commonRules, namedRule, type RedactionRule } from './redactor.ts';

const name = z.string().min(1).max(100);

const fileSchema = z.strictObject({
  patterns: z.record(name, z.string().min(1).max(1_000)).default({}),
  fields: z.array(name).max(limits.redactionRulesMax).default([]),
  common: z.boolean().default(true),
});

/** What a redactor replaces. */
export interface RedactionRules {
  readonly rules: readonly RedactionRule[];
  readonly fields: readonly string[];
}

/**
 * @param path Absolute path of the file.
 * @throws RuntimeError REDACTION_RULES_INVALID naming the file and what is wrong
 */
export function readRedactionRules(path: string): RedactionRules {
  const parsed = fileSchema.safeParse(contentOf(path));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const field = issue?.path.map(String).join('.') ?? '';
    throw invalid(
      path,
      `${field === '' ? '' : `${field}: `}${issue?.message ?? 'it is not valid'}`,
    );
  }
  const { patterns, fields, common } = parsed.data;
  const named = Object.entries(patterns);
  if (named.length > limits.redactionRulesMax) {
    throw invalid(path, `patterns: more than ${limits.redactionRulesMax}`);
  }
  if (named.length + fields.length === 0 && !common) throw invalid(path, 'it has no rule');
  const own = named.map(([each, source]): RedactionRule => {
    try {
      return namedRule(each, source);
    } catch (error) {
      throw invalid(path, `patterns.${each}: ${error instanceof Error ? error.message : error}`);
    }
  });
  return { rules: [...own, ...(common ? commonRules : [])], fields };
}

function contentOf(path: string): unknown {
  try {
    if (statSync(path).size > limits.redactionRulesBytesMax) {
      throw new Error(`it is larger than ${limits.redactionRulesBytesMax} bytes`);
    }
    return parse(readFileSync(path, 'utf8'), { maxAliasCount: 0, logLevel: 'silent' }) ?? {};
  } catch (error) {
    const why = error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error);
    throw invalid(path, why, error);
  }
}

function invalid(path: string, why: string, cause?: unknown): RuntimeError {
  return new RuntimeError(
    'REDACTION_RULES_INVALID',
    `${path} is no file of redaction rules (${why.replace(/[.:]$/, '')}); it has patterns (name: regular expression), fields (a list of names) and common (true or false).`,
    cause === undefined ? {} : { cause },
  );
}
