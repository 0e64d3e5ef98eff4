/** The access token that `claw` shows to a server: from --token-file, OPENCLAW_TOKEN, or the configuration file. */
import { readFileSync, statSync } from 'node:fs';
import { RuntimeError } from '../kernel/errors.ts';
import type { ConfigSources, RuntimeConfig } from './config.ts';

const tokenFileBytesMax = 4_096;

/**
 * @returns null where nothing names one. A flag wins over the variable, and that over the file.
 * @throws RuntimeError CONFIG_INVALID, which names the file and never what is in it.
 */
export function clientToken(
  environment: ConfigSources['environment'],
  { api = {} }: Pick<RuntimeConfig, 'api'>,
): string | null {
  const { tokenFile, tokenFileByFlag = false } = api;
  const variable = environment.OPENCLAW_TOKEN?.trim() ?? '';
  if (variable !== '' && !tokenFileByFlag) return variable;
  return tokenFile === undefined ? null : readToken(tokenFile);
}

function readToken(path: string): string {
  let text: string;
  try {
    const status = statSync(path);
    // Of a device or a pipe the size says nothing, and reading might never end.
    if (!status.isFile() || status.size > tokenFileBytesMax) throw new Error('not a small file');
    text = readFileSync(path, 'utf8').trim();
  } catch (cause) {
    throw new RuntimeError(
      'CONFIG_INVALID',
      `The token file ${path} cannot be read; check the path and its permissions.`,
      { cause },
    );
  }
  if (/^[!-~]+$/.test(text)) return text;
  throw new RuntimeError(
    'CONFIG_INVALID',
    `The token file ${path} is to hold one token and nothing else; write there what claw access add printed.`,
  );
}
