/**
 * Check of a tool call against the sentence that asks for it.
 *
 * Invariants
 *   T1. Operands and operation are those of the sentence, in its order.
 *   T2. A file is the one that the sentence names.
 *   T3. A call that the sentence does not ask for is never made: any doubt keeps
 *       the runtime from making it.
 */
import { isJsonObject, type JsonObject } from '../../kernel/json.ts';
import { fileNamesOf, operandsOf, operationOf } from '../tool-words.ts';
import type { Check } from './check.ts';

function calculationDoubt(args: JsonObject, request: string): string | null {
  const operands = operandsOf(request);
  if (operands === null) return 'The request does not have exactly two numbers.';
  const operation = operationOf(request);
  if (operation === null) return 'The words of the request name no operation, or several.';
  if (args.op !== operation)
    return `The request asks for ${operation}, not for ${String(args.op)}.`;
  const [a, b] = operands;
  const order = operation === 'add' || operation === 'mul' ? [a, b].toSorted() : [a, b];
  const given =
    operation === 'add' || operation === 'mul' ? [args.a, args.b].toSorted() : [args.a, args.b];
  if (given[0] !== order[0] || given[1] !== order[1]) {
    return `The request has the numbers ${a} and ${b}, not ${String(args.a)} and ${String(args.b)}.`;
  }
  return operation === 'div' && b === 0 ? 'Nothing can be divided by 0.' : null;
}

function readingDoubt(args: JsonObject, request: string): string | null {
  const files = fileNamesOf(request);
  const only = files[0];
  if (only === undefined || files.length > 1) return 'The request does not name exactly one file.';
  return args.path === only ? null : `The request names "${only}", not "${String(args.path)}".`;
}

export const toolRequest: Check = ({ output, each }) => {
  const request = typeof each === 'string' ? each : '';
  const call = isJsonObject(output) ? output : {};
  const args = isJsonObject(call.args) ? call.args : {};
  const asksForFile = fileNamesOf(request).length > 0;
  let doubt: string | null;
  if (call.tool === 'calc' && !asksForFile) doubt = calculationDoubt(args, request);
  else if (call.tool === 'read_file' && asksForFile) doubt = readingDoubt(args, request);
  else doubt = `The request does not ask for ${String(call.tool)}.`;
  return {
    output: { ...call, request },
    reasons: doubt === null ? [] : [doubt],
    retry: true,
  };
};
