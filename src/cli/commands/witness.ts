/** `claw witness`: cosigns the checkpoints of other logs, and never two histories of one. */
import { resolve } from 'node:path';
import { Command } from 'commander';
import { systemClock } from '../../kernel/clock.ts';
import { exitStatus } from '../../kernel/errors.ts';
import { type Host, integer, newCommand, onAction } from '../command.ts';
import { readNoteFile, writeNoteFile } from '../note-file.ts';
import { StopSwitch } from '../stop-switch.ts';

const portDefault = 7421;

export function witnessCommand(host: Host): Command {
  const command = new Command('witness').description('watch the logs of other accounts or hosts');
  for (const part of [initCommand, addCommand, serveCommand, cosignCommand, showCommand]) {
    command.addCommand(part(host));
  }
  return command;
}

function initCommand(host: Host): Command {
  const command = newCommand(
    'init',
    'make a witness in a folder that the watched runtimes cannot write',
  )
    .argument('<dir>', 'its folder')
    .option('--name <name>', 'name of its key');
  return onAction<{ readonly name?: string }>(
    command,
    host,
    async ({ io, output }, { words: [dir = ''], options: { name } }) => {
      const { Witness } = await import('../../identity/witness.ts');
      const { folder, verifier } = Witness.create(resolve(io.cwd, dir), name);
      output.answer({ folder, publicKey: verifier.text });
      output.print(verifier.text);
      return exitStatus.ok;
    },
  );
}

function addCommand(host: Host): Command {
  const command = newCommand('add', 'make a log known, by its public key')
    .argument('<dir>', 'folder of the witness')
    .argument('<log.pub>', 'public key of the log, from DATA/identity');
  return onAction(command, host, async ({ io, output }, { words: [dir = '', file = ''] }) => {
    const { Witness } = await import('../../identity/witness.ts');
    const log = Witness.open(resolve(io.cwd, dir)).addLog(readNoteFile(io.cwd, file));
    output.answer(log);
    output.print(`${log.origin} is known, with ${log.size} records cosigned.`);
    return exitStatus.ok;
  });
}

function showCommand(host: Host): Command {
  const command = newCommand('show', 'its key, and how much of each log it has cosigned').argument(
    '<dir>',
    'folder of the witness',
  );
  return onAction(command, host, async ({ io, output }, { words: [dir = ''] }) => {
    const { Witness } = await import('../../identity/witness.ts');
    const witness = Witness.open(resolve(io.cwd, dir));
    const logs = witness.logs();
    output.answer({ publicKey: witness.verifier.text, logs });
    output.print(
      [witness.verifier.text, ...logs.map(({ origin, size }) => `${size}  ${origin}`)].join('\n'),
    );
    return exitStatus.ok;
  });
}

function cosignCommand(host: Host): Command {
  const command = newCommand(
    'cosign',
    'cosign checkpoints once, from files as claw audit request writes',
  )
    .argument('<dir>', 'folder of the witness')
    .argument('<request...>', 'files; beside each the cosigned note appears as FILE.cosigned');
  return onAction(command, host, async ({ io, output }, { words: [dir = '', ...files] }) => {
    const [{ Witness }, { parseWitnessRequest }] = await Promise.all([
      import('../../identity/witness.ts'),
      import('../../identity/witness-request.ts'),
    ]);
    const witness = Witness.open(resolve(io.cwd, dir));
    const cosigned = files.map((file) => {
      const nowSeconds = Math.floor(systemClock.nowMs() / 1_000);
      const { note } = witness.cosign(parseWitnessRequest(readNoteFile(io.cwd, file)), nowSeconds);
      const path = `${resolve(io.cwd, file)}.cosigned`;
      writeNoteFile(io.cwd, path, note);
      output.print(`${path} is cosigned.`);
      return { file: resolve(io.cwd, file), cosigned: path };
    });
    output.answer({ cosigned });
    return exitStatus.ok;
  });
}

interface ServeOptions {
  readonly socket?: string;
  readonly port?: string;
}

function serveCommand(host: Host): Command {
  const command = newCommand('serve', `cosign on request, on this host alone (port ${portDefault})`)
    .argument('<dir>', 'folder of the witness')
    .option('--socket <path>', 'a Unix socket instead of a port');
  return onAction<ServeOptions>(
    command,
    host,
    async ({ io, output }, { words: [dir = ''], options: { socket, port } }) => {
      const [{ Witness }, { serveWitness }] = await Promise.all([
        import('../../identity/witness.ts'),
        import('../../api/witness-server.ts'),
      ]);
      const witness = Witness.open(resolve(io.cwd, dir));
      const place =
        socket === undefined
          ? { port: port === undefined ? portDefault : integer({ min: 0, max: 65_535 })(port) }
          : { socket: resolve(io.cwd, socket) };
      const server = await serveWitness(witness, place);
      const stop = new StopSwitch(io, output);
      return stop.guard(
        async () => {
          output.answer({ address: server.address, publicKey: witness.verifier.text });
          output.print(`${witness.verifier.text}\nlistens at ${server.address}`);
          await stop.requested;
          return exitStatus.ok;
        },
        async () => {
          await server.close();
          stop.release();
        },
      );
    },
  );
}
