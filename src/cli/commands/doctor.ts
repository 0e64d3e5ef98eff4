/**
 * `claw doctor`: whether everything that the runtime needs is here. Exit status
 * 0, 5 where the data directory is damaged or newer, or else 4.
 */
import type { Command } from 'commander';
import { exitStatus } from '../../kernel/errors.ts';
import { type Host, newCommand, onAction } from '../command.ts';
import { examinationStatus, examine } from '../doctor-checks.ts';

const signs = { ok: 'ok     ', warning: 'warning', failed: 'FAILED ' } as const;

export function doctorCommand(host: Host): Command {
  const command = newCommand('doctor', 'check what the runtime needs');
  return onAction(command, host, async (context) => {
    const findings = await examine(context);
    const status = examinationStatus(findings);
    context.output.answer({ healthy: status === exitStatus.ok, findings });
    for (const { check, status: sign, detail } of findings) {
      context.output.print(`${signs[sign]}  ${check}: ${detail}`);
    }
    return status;
  });
}
