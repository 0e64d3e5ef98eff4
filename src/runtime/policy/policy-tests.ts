/** Files of tests of policies: requests, and what must come of them. */
import { readFileSync, statSync } from 'node:fs';
import { LineCounter, parseDocument } from 'yaml';
import { z } from 'zod';
import type { PolicyDecision, PolicyPort } from '../../actuators/policy.ts';
import { defaultLevels, levelsSchema } from '../../identity/clearance.ts';
import { RuntimeError } from '../../kernel/errors.ts';
import { limits } from '../../kernel/limits.ts';
import { policyRequest, writtenRequestShape } from './policy-request.ts';

const testSchema = z.strictObject({
  name: z.string().min(1).max(200),
  ...writtenRequestShape,
  expect: z.enum(['allow', 'deny']),
  /** Ids of exactly the policies that decide; without it whichever. */
  policies: z.array(z.string().max(200)).max(64).optional(),
});

const fileSchema = z.strictObject({
  levels: levelsSchema.default([...defaultLevels]),
  tests: z.array(testSchema).min(1).max(limits.policyTestsMax),
});

export type PolicyTestFile = z.output<typeof fileSchema>;

export interface PolicyTestReport {
  readonly file: string;
  readonly name: string;
  readonly passed: boolean;
  readonly expected: 'allow' | 'deny';
  readonly decision: PolicyDecision;
  /** Why it failed; null where it passed. */
  readonly problem: string | null;
}

/** YAML, of which JSON is a part. @throws RuntimeError POLICY_INVALID */
export function readPolicyTests(path: string): PolicyTestFile {
  const content = readBounded(path);
  const lines = new LineCounter();
  const document = parseDocument(content, { lineCounter: lines });
  const [fault] = document.errors;
  if (fault !== undefined) {
    const { line, col } = lines.linePos(fault.pos[0]);
    const [sentence] = fault.message.split('\n');
    throw invalid(`${path}:${line}:${col}: ${sentence?.replace(/ at line.*$/, '')}`);
  }
  let value: unknown;
  try {
    value = document.toJS({ maxAliasCount: 0 });
  } catch {
    throw invalid(`${path}: aliases (*name) are not allowed here; write the value out`);
  }
  const parsed = fileSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw invalid(`${path}: ${issue?.path.map(String).join('.')}: ${issue?.message}`);
}

function readBounded(path: string): string {
  try {
    const status = statSync(path);
    if (!status.isFile() || status.size > limits.policyBytesMax) {
      throw invalid(`${path} is no file of at most ${limits.policyBytesMax / 1024} KiB`);
    }
    return readFileSync(path, 'utf8');
  } catch (cause) {
    if (cause instanceof RuntimeError) throw cause;
    const reason = (cause as NodeJS.ErrnoException).code ?? 'unknown error';
    throw invalid(`The tests ${path} cannot be read (${reason}); check the path`, cause);
  }
}

function invalid(message: string, cause?: unknown): RuntimeError {
  return new RuntimeError('POLICY_INVALID', `${message}.`, { cause });
}

function problemOf(
  { expect, policies }: PolicyTestFile['tests'][number],
  decision: PolicyDecision,
): string | null {
  const came = decision.allow ? 'allow' : 'deny';
  const deciding = decision.policies.join(', ') || 'no policy';
  if (came !== expect) return `expected ${expect}, and ${deciding} decided ${came}`;
  if (policies === undefined) return null;
  const wanted = policies.toSorted().join(', ') || 'no policy';
  return wanted === deciding ? null : `expected ${wanted} to decide, and ${deciding} did`;
}

export function runPolicyTests(
  file: string,
  { levels, tests }: PolicyTestFile,
  policies: PolicyPort,
): PolicyTestReport[] {
  return tests.map((test) => {
    const decision = policies.decide(policyRequest(test, levels));
    const problem = problemOf(test, decision);
    const { name, expect: expected } = test;
    return { file, name, passed: problem === null, expected, decision, problem };
  });
}
