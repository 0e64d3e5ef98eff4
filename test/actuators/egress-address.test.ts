/**
 * Goal: no text leads to an inside address, in any notation that a parser of
 * URLs or a resolver accepts. Method: each address in every notation; what the
 * parser turns into an address is judged, and what it leaves a name is refused
 * as a name or judged once it is resolved.
 */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { addressProblem } from '../../src/actuators/egress-address.ts';
import { literalAddress, parseTarget } from '../../src/actuators/egress-target.ts';

const inside = [
  '0.0.0.0',
  '0.1.2.3',
  '10.0.0.1',
  '10.255.255.255',
  '100.64.0.1',
  '100.100.100.200',
  '100.127.255.255',
  '127.0.0.1',
  '127.255.255.254',
  '169.254.0.1',
  '169.254.169.254',
  '168.63.129.16',
  '172.16.0.1',
  '172.31.255.255',
  '192.0.0.192',
  '192.0.2.1',
  '192.88.99.1',
  '192.168.0.1',
  '198.18.0.1',
  '198.19.255.255',
  '198.51.100.7',
  '203.0.113.10',
  '224.0.0.1',
  '239.255.255.250',
  '240.0.0.1',
  '255.255.255.255',
  '::',
  '::1',
  '::7f00:1',
  '::127.0.0.1',
  '::ffff:127.0.0.1',
  '::ffff:10.0.0.1',
  '::ffff:0:127.0.0.1',
  '::ffff:8.8.8.8',
  '64:ff9b::127.0.0.1',
  '64:ff9b::8.8.8.8',
  '64:ff9b:1::10.0.0.1',
  '100::1',
  '2001::1',
  '2001:0:1:2:3:4:5:6',
  '2001:db8::1',
  '2001:2::1',
  '2001:10::1',
  '2001:20::1',
  '2002:7f00:1::',
  '2002:a00:1::1',
  '2002:808:808::1',
  '3fff::1',
  '4000::1',
  '5f00::1',
  'fc00::1',
  'fd00:ec2::254',
  'fd12:3456::1',
  'fe80::1',
  'fe80::1%eth0',
  'febf::1',
  'fec0::1',
  'ff02::1',
  '2606:4700::5efe:127.0.0.1',
  '2606:4700::200:5efe:10.0.0.1',
];
const outside = [
  '1.1.1.1',
  '8.8.8.8',
  '9.9.9.9',
  '100.63.255.255',
  '100.128.0.0',
  '126.255.255.255',
  '128.0.0.1',
  '172.15.255.255',
  '172.32.0.0',
  '192.167.255.255',
  '223.255.255.255',
  '2606:4700:4700::1111',
  '2a00:1450:4001:80b::200e',
  '2606:4700::5efe:8.8.8.8',
];

describe('an address', () => {
  test.each(inside)('%s is not public', (address) => {
    expect(addressProblem(address)).not.toBeNull();
  });

  test.each(outside)('%s is public', (address) => {
    expect(addressProblem(address)).toBeNull();
  });

  test.each([
    '',
    'localhost',
    '127.1',
    '2130706433',
    '0x7f.0.0.1',
    '0177.0.0.1',
    '8.8.8',
    '8.8.8.8.',
    '08.8.8.8',
    '8.8.8.8/32',
    '[::1]',
    '8.8.8.256',
    '::ffff:8.8.8.8.8',
  ])('%j is none in the form that a system writes', (text) => {
    expect(addressProblem(text)).toBe('no address');
  });

  test('whatever it is, judging never throws', () => {
    fc.assert(
      fc.property(fc.string(), (text) => typeof (addressProblem(text) ?? '') === 'string'),
      { numRuns: 2_000 },
    );
    fc.assert(
      fc.property(fc.ipV6(), (text) => typeof (addressProblem(text) ?? '') === 'string'),
      { numRuns: 2_000 },
    );
  });
});

/** Every way to write an IPv4 address that URL parsers and inet_aton know. */
function notations(address: string): string[] {
  const [a = 0, b = 0, c = 0, d = 0] = address.split('.').map(Number);
  const whole = ((a * 256 + b) * 256 + c) * 256 + d;
  const hex = (value: number): string => `0x${value.toString(16)}`;
  const octal = (value: number): string => `0${value.toString(8)}`;
  return [
    address,
    String(whole),
    hex(whole),
    hex(whole).toUpperCase().replace('0X', '0x'),
    `0x0000${whole.toString(16)}`,
    octal(whole),
    `${a}.${(b * 256 + c) * 256 + d}`,
    `${a}.${b}.${c * 256 + d}`,
    [a, b, c, d].map(hex).join('.'),
    [a, b, c, d].map(octal).join('.'),
    [a, b, c, d].map((part) => `000${octal(part)}`).join('.'),
    `${hex(a)}.${octal(b)}.${c}.${d}`,
    `${address}.`,
    encodeURIComponent(address).replaceAll('.', '%2e'),
    address.replaceAll('.', '。'),
    address.replace(/\d/g, (digit) => String.fromCodePoint(0xff10 + Number(digit))),
    `[::ffff:${address}]`,
    `[::${address}]`,
    `[64:ff9b::${address}]`,
    `[0:0:0:0:0:ffff:${address}]`,
    `[::ffff:${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}]`,
    `[2002:${((a << 8) | b).toString(16)}:${((c << 8) | d).toString(16)}::]`,
  ];
}

describe('the host of an address', () => {
  const dotted = inside.filter((address) => /^[\d.]+$/.test(address));
  test.each(dotted)('%s is refused in every notation, before anybody is asked', (address) => {
    for (const host of notations(address)) {
      for (const scheme of ['http', 'https']) {
        expect(() => parseTarget(`${scheme}://${host}/`), host).toThrow(
          expect.objectContaining({ code: 'EGRESS_ADDRESS_REFUSED' }),
        );
      }
    }
  });

  test('a public one is read the same in every notation that only writes it otherwise', () => {
    for (const host of notations('8.8.8.8').slice(0, 12)) {
      expect(parseTarget(`http://${host}/`).host).toBe('8.8.8.8');
    }
    expect(literalAddress('[2606:4700::1111]')).toBe('2606:4700::1111');
    expect(literalAddress('example.com')).toBeNull();
  });

  test.each([
    'localhost',
    'LOCALHOST',
    'localhost.',
    'x.localhost',
    'intranet',
    'metadata',
    'metadata.google.internal',
    'printer.local',
    'router.lan',
    'home.arpa',
    'hidden.onion',
    'example.com.',
    'ⓛocalhost',
    'loc%61lhost',
  ])('%s is refused as a name', (host) => {
    expect(() => parseTarget(`https://${host}/`)).toThrow(
      expect.objectContaining({
        code: expect.stringMatching(/^EGRESS_(ADDRESS|URL)_REFUSED$/),
      }),
    );
  });
});

describe('the text of an address', () => {
  test.each([
    'ftp://example.com/',
    'file:///etc/passwd',
    'gopher://example.com/',
    'data:text/plain,x',
    'javascript:1',
    'ws://example.com/',
    'unix:/run/docker.sock',
    '//example.com/',
    '/x',
    '',
    'https://',
    'https://user@example.com/',
    'https://user:pass@example.com/',
    'https://:pass@example.com/',
    'http://example.com\\@127.0.0.1/',
    'http:\\\\example.com',
    'https://example.com/a b',
    ' https://example.com/',
    'https://exa\tmple.com/',
    'https://example.com/\r\nhost: x',
    'https://example.com/\u0000',
    'https://example.com/%00',
    'https://example.com/a%2f..%2fb',
    'https://example.com/a%5Cb',
    'https://example.com/a/..;/b',
    'https://example.com/%2e%2e;x/b',
    'https://example.com:0/',
    'https://example.com:99999/',
    'https://exam\u200bple.com/',
    `https://example.com/${'x'.repeat(2_000)}`,
  ])('%j is refused', (text) => {
    expect(() => parseTarget(text)).toThrow(
      expect.objectContaining({ code: 'EGRESS_URL_REFUSED' }),
    );
  });

  test('is read once, into the parts that are granted and connected to', () => {
    expect(parseTarget('HTTPS://API.Example.COM/a/./b/../c%20d?q=1#part')).toEqual({
      scheme: 'https',
      host: 'api.example.com',
      port: 443,
      path: '/a/c%20d',
      query: '?q=1',
      origin: 'https://api.example.com',
      href: 'https://api.example.com/a/c%20d?q=1',
    });
    expect(parseTarget('../x', parseTarget('http://example.com:8080/a/b/c'))).toMatchObject({
      port: 8080,
      path: '/a/x',
    });
  });
});
