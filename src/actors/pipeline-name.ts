/** What pipelines, agents, tools and steps may be called. */
import { z } from 'zod';

export const pipelineName = z
  .string()
  .regex(/^[a-z][a-z0-9_-]*$/i, 'letters, digits, - and _, beginning with a letter')
  .max(40);
