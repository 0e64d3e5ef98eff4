/** The command line and the pipes of a command under layers. What the layers do is shown in test/security. */
import { describe, expect, test } from 'vitest';
import { confined, type LayersInUse } from '../../../src/sandbox/layers/confined-process.ts';

const none: LayersInUse = { bubblewrap: null, seccomp: null, cgroup: null };
const command = {
  file: '/bin/program',
  args: ['word'],
  environment: { A: 'b' },
  readOnly: [{ from: '/bin/program' }],
  single: true,
  bounds: { memoryBytes: 1, tasks: 1 },
};

describe('the command line', () => {
  test('without namespaces is the command itself', () => {
    expect(confined({ ...command, inputs: [Buffer.from('x')] }, none)).toEqual({
      file: '/bin/program',
      args: ['word'],
      extraPipes: [Buffer.from('x')],
      infoPipe: null,
      blockPipe: null,
    });
  });

  test('names a pipe for each thing that bubblewrap reads or tells, behind the inputs', () => {
    const filter = Buffer.from('filter');
    const tree = { version: 2, memory: '/m', pids: '/m' } as const;
    const { file, args, extraPipes } = confined(
      { ...command, inputs: [Buffer.from('x')], writable: [{ path: '/tmp', bytesMax: 4096 }] },
      { bubblewrap: '/usr/bin/bwrap', seccomp: filter, cgroup: tree },
    );
    expect(file).toBe('/usr/bin/bwrap');
    expect(extraPipes).toEqual([Buffer.from('x'), null, null, filter]);
    const text = args.join(' ');
    expect(text).toContain('--info-fd 4 --seccomp 6 --block-fd 5 -- /bin/program word');
    expect(text).toContain('--size 4096 --tmpfs /tmp --remount-ro /');
    for (const flag of ['--unshare-all', '--die-with-parent', '--new-session', '--clearenv']) {
      expect(args).toContain(flag);
    }
    expect(text).toContain('--cap-drop ALL');
  });
});
