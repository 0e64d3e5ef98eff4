/** What is seen of a process and of what it has started. Only Linux tells. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import { ProcessProbe } from '../../src/sandbox/memory-probe.ts';
import { eventually } from './processes.ts';

test.runIf(process.platform === 'linux')(
  'what a process has started counts where it is asked for, also after it has ended',
  async () => {
    const busy = 'const a = Buffer.alloc(96 << 20, 1); console.log(a.length); for (;;);';
    const parent = spawn(
      process.execPath,
      [
        '-e',
        `const { spawn } = require('node:child_process');
         const child = spawn(process.execPath, ['-e', ${JSON.stringify(busy)}], { stdio: 'inherit' });
         process.stdin.once('data', () => child.kill('SIGKILL'));`,
      ],
      { stdio: ['pipe', 'pipe', 'inherit'] },
    );
    await once(parent.stdout, 'data');
    const alone = new ProcessProbe(Number(parent.pid));
    const whole = new ProcessProbe(Number(parent.pid), { descendants: true });
    expect(whole.residentMb()).toBeGreaterThan(Number(alone.residentMb()) + 96);
    await eventually(() => Number(whole.cpuMs()) > Number(alone.cpuMs()) + 100);
    const before = Number(whole.cpuMs());
    parent.stdin.write('end');
    // The memory is given back, the processor time stays spent.
    await eventually(() => Number(whole.residentMb()) < Number(alone.residentMb()) + 1);
    expect(whole.cpuMs()).toBeGreaterThanOrEqual(before);
    parent.kill('SIGKILL');
    await once(parent, 'exit');
    expect([whole.residentMb(), whole.cpuMs()]).toEqual([null, null]);
    alone.close();
    whole.close();
  },
);
