import { readFileSync } from 'node:fs';
import { request as httpsRequest } from 'node:https';
import { connect } from 'node:net';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { connect as connectTls } from 'node:tls';
import { expect, test } from 'vitest';
import { doorSettings, type TokenJudge } from '../../src/api/door-settings.ts';
import { ServerClient } from '../../src/cli/server-client.ts';
import type { ApiConfig } from '../../src/runtime/api-config.ts';
import { openDoor } from './door-harness.ts';

const folder = join(import.meta.dirname, 'tls');
const cert = join(folder, 'cert.pem');
const tls = { cert, key: join(folder, 'key.pem') };

function tokens(some: boolean): TokenJudge {
  return { judge: () => ({ status: 'unknown' }), opensForAnybody: () => some };
}

function settings(host: string, api: ApiConfig, some = true) {
  return doorSettings({ host, api }, tokens(some), 0);
}

test.each(['127.0.0.1', '127.9.9.9', '::1', 'localhost', 'LOCALHOST'])(
  'on %s nothing is asked for',
  (host) => {
    expect(settings(host, {}, false)).toMatchObject({ requireToken: false, tls: null });
    expect(settings(host, { requireToken: true }, false)).toMatchObject({ requireToken: true });
  },
);

test.each(['0.0.0.0', '::', '0:0::0', '::ffff:0.0.0.0', '10.1.2.3', 'fd00::1', '::ffff:127.0.0.1'])(
  'beyond this machine, as on %s, there must be a token, and TLS or a plain word, and a name',
  (host) => {
    const named = { allowedHosts: ['claw.example'] };
    const refused = (api: ApiConfig, some: boolean, says: string): void => {
      const attempt = () => settings(host, { ...named, ...api }, some);
      expect(attempt).toThrow(expect.objectContaining({ code: 'API_EXPOSED' }));
      expect(attempt).toThrow(says);
    };
    refused({ tls }, false, 'claw access add');
    refused({ insecure: true }, false, 'claw access add');
    refused({}, true, 'TLS');
    refused({ insecure: false }, true, 'TLS');
    for (const api of [{ tls }, { insecure: true }]) {
      // Even where the settings say the contrary.
      const made = settings(host, { ...named, ...api, requireToken: false });
      expect(made.requireToken).toBe(true);
    }
  },
);

test.each(['0.0.0.0', '::', '::ffff:0.0.0.0'])('all addresses, %s, are no name', (host) => {
  expect(() => settings(host, { insecure: true })).toThrow('allowedHosts');
});

test('a host that looks like loopback is not, and is known by its name', () => {
  expect(() => settings('127.evil.example', { insecure: true }, false)).toThrow('access token');
  expect(settings('10.1.2.3', { insecure: true }).names).toEqual(['10.1.2.3']);
});

test('the API itself refuses to begin, not only the command', async () => {
  await expect(openDoor({ host: '0.0.0.0' })).rejects.toMatchObject({ code: 'API_EXPOSED' });
});

test.each([
  [{ cert, key: join(folder, 'other-key.pem') }, 'not a certificate and its own key'],
  [{ cert, key: cert }, 'not a certificate and its own key'],
  [{ cert: join(folder, 'none.pem'), key: tls.key }, 'none.pem'],
  [{ cert, key: join(folder, 'none.pem') }, 'none.pem'],
])('TLS of %j is refused', (pair, says) => {
  const attempt = () => settings('127.0.0.1', { tls: pair });
  expect(attempt).toThrow(expect.objectContaining({ code: 'TLS_INVALID' }));
  expect(attempt).toThrow(says);
});

test('by TLS the API serves, knows its own page by https, and speaks nothing else', async () => {
  const door = await openDoor({ api: { tls, allowedHosts: ['claw.test'], requireToken: true } });
  const token = await door.add('me', ['viewer']);
  expect(door.api.url).toBe(`https://127.0.0.1:${door.api.port}`);
  const ask = (headers: Record<string, string>): Promise<[number | undefined, string]> =>
    new Promise((settle, fail) => {
      const options = { ca: readFileSync(cert), servername: 'claw.test', headers };
      httpsRequest(`${door.api.url}/healthz`, options, (answer) => {
        void text(answer).then((body) => settle([answer.statusCode, body]));
      })
        .on('error', fail)
        .end();
    });
  const good = { host: 'claw.test', authorization: `Bearer ${token}` };
  expect((await ask(good))[0]).toBe(200);
  expect((await ask({ ...good, origin: 'https://claw.test' }))[0]).toBe(200);
  expect((await ask({ ...good, origin: 'http://claw.test' }))[0]).toBe(403);
  expect((await ask({ host: 'claw.test' }))[0]).toBe(401);
  const plain = await new Promise<string>((settle) => {
    const socket = connect(door.api.port, '127.0.0.1');
    let answer = '';
    socket.on('data', (bytes) => {
      answer += bytes;
    });
    socket.on('close', () => settle(answer));
    socket.on('error', () => undefined);
    socket.write('GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n');
  });
  expect(plain).not.toContain(' 200 ');
});

test('TLS older than 1.2 is not spoken', async () => {
  const door = await openDoor({ api: { tls } });
  const failed = await new Promise<string>((settle) => {
    const socket = connectTls({
      port: door.api.port,
      host: '127.0.0.1',
      rejectUnauthorized: false,
      minVersion: 'TLSv1.1',
      maxVersion: 'TLSv1.1',
      ciphers: 'DEFAULT@SECLEVEL=0',
    });
    socket.on('secureConnect', () => settle('connected'));
    socket.on('error', () => settle('refused'));
  });
  expect(failed).toBe('refused');
});

test('claw knows the server by the certificate of the settings, and nobody else by it', async () => {
  const door = await openDoor({ api: { tls, requireToken: true } });
  const token = await door.add('me', ['operator']);
  const { id } = await door.runtime.startRun({ pipeline: 'p', input: { folder: 'f' } });
  door.runtime.append(id, 3);
  door.runtime.end(id);
  const client = new ServerClient(door.api.url, { token, certificateFile: cert });
  expect((await client.health()).status).toBe('ok');
  const seen: number[] = [];
  await client.follow(id, ({ sequence }) => seen.push(sequence));
  expect(seen).toEqual([1, 2, 3]);
  const stranger = new ServerClient(door.api.url, { token });
  await expect(stranger.health()).rejects.toMatchObject({ code: 'SERVER_UNREACHABLE' });
});
