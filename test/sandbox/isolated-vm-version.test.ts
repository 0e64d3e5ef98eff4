import { expect, test } from 'vitest';
import { isolatedVmFiles } from '../../src/sandbox/isolated-vm-files.ts';
import { isolatedVmProblem } from '../../src/sandbox/isolated-vm-version.ts';

test.each(['7.0.1', '7.0.2', '7.1.0', '8.0.0', '10.0.0', '7.0.1+build'])(
  '%s is used',
  (version) => {
    expect(isolatedVmProblem(version)).toBeNull();
  },
);

test.each(['7.0.0', '6.9.9', '6.0.10', '4.7.2', '7.0.1-rc.1', '7.0', '', 'latest', undefined, 7])(
  '%s is refused',
  (version) => {
    expect(isolatedVmProblem(version)).toMatch(/7\.0\.1/);
  },
);

test('the installed one is used, and its library is there', () => {
  const { version, addon } = isolatedVmFiles();
  expect(isolatedVmProblem(version)).toBeNull();
  expect(addon).toMatch(/\.node$/);
});
