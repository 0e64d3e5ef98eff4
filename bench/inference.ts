/**
 * Tokens per second of two models with 1, 2, 4 and 8 agents at once, through
 * `ModelPort` with as many sequences (a confidence for every token, detectors
 * on, texts decoded as they come) against plain node-llama-cpp with the same
 * questions, agents and sequences in the same run, both on one thread: the
 * embedded model, and one of 51.9 million parameters with random weights that
 * models/train/random.mjs writes for the run.
 *
 * Random weights say nothing and never end their turn: each of their answers
 * has the tokens that were asked for, on both sides. Detectors are on with
 * thresholds that nothing crosses: no token is less than 0 certain, and no
 * answer has 64 repetitions in a row.
 *
 * And how long an agent that comes back after 50 ms, as from a tool, waits for its first token.
 *
 * Tokens for each second of processor time are compared as well: other work on
 * the machine disturbs those less.
 *
 * In a batch values differ in their last bits, and an answer may part from
 * another where two tokens are nearly as likely: how many do is a figure.
 */
import type { ChatMessage } from '../src/inference/model-port.ts';
import { benchOptions, report } from './harness.ts';
import { measureAgents } from './inference/agents.ts';
import { embeddedModelFile, makeRandomModel } from './inference/models.ts';
import { conversationsInTurns, request } from './inference/prompts.ts';
import { measureResume } from './inference/resume.ts';

const { quick, repetitions } = benchOptions();

/** Characters of a question at most in the short form. */
const shortCharactersMax = 100;
const characters = (messages: readonly ChatMessage[]): number =>
  messages.reduce((sum, { content }) => sum + content.length, 0);
const questions = conversationsInTurns()
  .filter((messages) => !quick || characters(messages) <= shortCharactersMax)
  .map((messages) => request(messages, null));

/** The short form leaves out what lies between. */
const counts = quick ? [1, 8] : [1, 2, 4, 8];

const random = makeRandomModel();
try {
  const embedded = {
    name: 'embedded',
    file: embeddedModelFile,
    flashAttention: false,
    goal: 0.8,
    questions,
    perPass: quick ? 4 : 32,
  };
  const large = {
    name: '51.9 M',
    file: random.file,
    flashAttention: 'auto' as const,
    goal: 0.92,
    questions: questions.map((each) => ({ ...each, maxTokens: quick ? 12 : 32 })),
    perPass: quick ? 2 : 12,
  };
  const figures = [
    ...(await measureAgents(embedded, counts, repetitions)),
    ...(await measureAgents(large, counts, repetitions)),
    ...(await measureResume({ ...embedded, sizes: quick ? [1_024] : [512, 1_024] }, repetitions)),
    ...(await measureResume({ ...large, sizes: quick ? [512] : [512, 1_024, 2_048] }, repetitions)),
  ];
  report('inference', figures, ['node-llama-cpp']);
} finally {
  random.remove();
}
