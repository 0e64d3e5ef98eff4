/**
 * Writes docs/pipeline.schema.json, the JSON Schema by which editors complete
 * and check pipeline files, from the schema that the parser uses.
 */
import { writeFileSync } from 'node:fs';
import { z } from 'zod';
import { pipelineDefinitionSchema } from '../src/actors/pipeline-definition.ts';

export const pipelineSchemaFile = new URL('../docs/pipeline.schema.json', import.meta.url);

/** The text of the published schema. */
export function pipelineSchemaText(): string {
  const schema = z.toJSONSchema(pipelineDefinitionSchema, {
    io: 'input',
    override: ({ jsonSchema }) => {
      // JSON Schema has no flags on patterns, so the letters are named in both cases.
      if (jsonSchema.pattern !== undefined) {
        jsonSchema.pattern = jsonSchema.pattern.replaceAll('[a-z', '[A-Za-z');
      }
    },
  });
  const title = { $schema: schema.$schema, title: 'OpenClaw pipeline' };
  return `${JSON.stringify({ ...title, ...schema }, null, 2)}\n`;
}

if (import.meta.main) writeFileSync(pipelineSchemaFile, pipelineSchemaText());
