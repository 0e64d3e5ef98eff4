import { describe, expect, test } from 'vitest';
import { AnomalyDetector } from '../../src/identity/anomaly-detector.ts';
import { limits } from '../../src/kernel/limits.ts';

describe('anomalies of an actor', () => {
  test('the fifth refusal within a minute is one too many', () => {
    const detector = new AnomalyDetector();
    for (let count = 1; count < limits.refusalsMax; count += 1) {
      expect(detector.observe('a', 'refusal', count)).toBeNull();
    }
    expect(detector.observe('b', 'refusal', 5)).toBeNull();
    expect(detector.observe('a', 'refusal', 5)).toMatchObject({ code: 'REPEATED_REFUSALS' });
  });

  test('refusals that come slowly are none', () => {
    const detector = new AnomalyDetector();
    for (let count = 0; count < 50; count += 1) {
      const atMs = (count * limits.actorRefusalWindowMs) / 3;
      expect(detector.observe('a', 'refusal', atMs)).toBeNull();
    }
  });

  test.each([
    ['act', limits.actorActsPerSecondMax],
    ['message', limits.actorMessagesPerSecondMax],
  ] as const)('more than its %s in a second are told', (observed, most) => {
    const detector = new AnomalyDetector();
    for (let count = 0; count < most; count += 1) {
      expect(detector.observe('a', observed, 999)).toBeNull();
    }
    expect(detector.observe('a', observed, 999)).toMatchObject({ code: 'RATE_EXCEEDED' });
    expect(detector.observe('a', observed, 1_999)).toBeNull();
  });

  test('it holds so many actors and no more, and forgets whom it is told to', () => {
    const detector = new AnomalyDetector({ actorsMax: 2 });
    for (let count = 1; count < limits.refusalsMax; count += 1) detector.observe('a', 'refusal', 0);
    detector.observe('b', 'act', 0);
    detector.observe('c', 'act', 0);
    expect(detector.observe('a', 'refusal', 0)).toBeNull();
    for (let count = 2; count < limits.refusalsMax; count += 1) detector.observe('a', 'refusal', 0);
    detector.forget('a');
    expect(detector.observe('a', 'refusal', 0)).toBeNull();
  });
});
