import { setTimeout as sleep } from 'node:timers/promises';
import { MessageChannel } from 'node:worker_threads';
import { expect, onTestFinished, test } from 'vitest';
import { Listening } from '../../src/bus/listening.ts';

/** A loop over an inbox that holds `mail` messages and takes one each slice. */
function listen() {
  const { port1, port2 } = new MessageChannel();
  const state = { mail: 0, looks: 0, isListening: false, isBlocked: false, wakes: 0 };
  const listening = new Listening({
    listeners: [port1],
    drain: () => {
      state.looks += 1;
      const taken = Math.min(1, state.mail);
      state.mail -= taken;
      return taken;
    },
    tryListen: () => {
      state.isListening = state.mail === 0;
      return state.isListening;
    },
    stopListening: () => {
      state.isListening = false;
    },
    isBlocked: () => state.isBlocked,
    onWake: () => {
      state.wakes += 1;
    },
  });
  onTestFinished(() => {
    listening.close();
    port1.close();
  });
  return { state, listening, ring: () => port2.postMessage(1) };
}

test('looks by itself for a short while, asks for the doorbell, and then does nothing', async () => {
  const { state } = listen();
  await sleep(20);
  expect(state.isListening).toBe(true);
  const { looks } = state;
  expect(looks).toBeGreaterThan(0);
  await sleep(50);
  expect(state.looks).toBe(looks);
});

test('takes all mail in slices after one ring', async () => {
  const { state, ring } = listen();
  await sleep(20);
  state.mail = 30;
  ring();
  await sleep(20);
  expect(state).toMatchObject({ mail: 0, isListening: true, wakes: 1 });
});

test('needs no doorbell for what comes soon after a question', async () => {
  const { state, listening } = listen();
  await sleep(20);
  listening.expectMail();
  expect(state.isListening).toBe(false);
  state.mail = 1;
  await sleep(20);
  expect(state).toMatchObject({ mail: 0, isListening: true, wakes: 0 });
});

test('takes no mail while it is blocked, and does not turn in circles', async () => {
  const { state, listening, ring } = listen();
  await sleep(20);
  state.isBlocked = true;
  state.mail = 5;
  ring();
  await sleep(20);
  const { looks, mail } = state;
  expect(mail).toBe(4);
  await sleep(20);
  expect(state.looks).toBe(looks);
  state.isBlocked = false;
  listening.nudge();
  await sleep(20);
  expect(state).toMatchObject({ mail: 0, isListening: true });
});

test('does nothing once it is closed', async () => {
  const { state, listening, ring } = listen();
  await sleep(20);
  listening.close();
  const { looks } = state;
  listening.nudge();
  listening.expectMail();
  ring();
  await sleep(20);
  expect(state.looks).toBe(looks);
});
