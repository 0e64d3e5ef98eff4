/** One line that is not for others' eyes: typed without an echo, or read from a pipe. */
import type { CommandContext } from './command.ts';

const [enter, lineFeed, interrupt, backspace, rubout] = ['\r', '\n', '\u0003', '\b', '\u007f'];

/** Null where the person gives up. */
export async function readHiddenLine(
  { io, output }: Pick<CommandContext, 'io' | 'output'>,
  prompt: string,
): Promise<string | null> {
  if (io.terminal === undefined || io.stdinIsTerminal !== true) {
    for await (const line of io.lines()) return line;
    return null;
  }
  output.stderr.write(prompt);
  const { terminal } = io;
  const line = await new Promise<string | null>((resolve) => {
    let typed = '';
    const stop = terminal.onKey((key) => {
      if (key === enter || key === lineFeed || key === interrupt) {
        stop();
        resolve(key === interrupt ? null : typed);
      } else if (key === backspace || key === rubout) {
        typed = Array.from(typed).slice(0, -1).join('');
      } else typed += key;
    });
  });
  output.stderr.write('\n');
  return line;
}
