/** `claw doctor`: whether everything that the runtime needs is here. Exit status 0 or 4. */
import type { Command } from 'commander';
import { exitStatus } from '../../kernel/errors.ts';
import { type Host, newCommand, onAction } from '../command.ts';
import { examine } from '../doctor-checks.ts';

const signs = { ok: 'ok     ', warning: 'warning', failed: 'FAILED ' } as const;

export function doctorCommand(host: Host): Command {
  const command = newCommand('doctor', 'check what the runtime needs');
  return onAction(command, host, async (context) => {
    const findings = await examine(context);
    const healthy = findings.every(({ status }) => status !== 'failed');
    context.output.answer({ healthy, findings });
    for (const { check, status, detail } of findings) {
      context.output.print(`${signs[status]}  ${check}: ${detail}`);
    }
    return healthy ? exitStatus.ok : exitStatus.environment;
  });
}
