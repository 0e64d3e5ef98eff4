/** Paths by which others have left the folder that they were to stay in, and all their combinations. */

const dots = [
  '..',
  '../',
  '..%2f',
  '..%252f',
  '%2e%2e',
  '%2e%2e%2f',
  '%252e%252e%252f',
  '..%c0%af',
  '%c0%ae%c0%ae',
  '%uff0e%uff0e',
  '..%5c',
  '..\\',
  '.\\.',
  '....//',
  '..../',
  '..;/',
  '.%00./',
  '..\u0000',
  '．．',
  '．．／',
  '‥',
  '․․',
  '\u2025/',
  '..\u2215',
  '..\u2044',
  '..\uff0f',
  '..\u29f8',
  '.\u0301.',
  '\u200b..',
  '..\u200b',
  '..\ufeff',
  '\u202e..',
  '\ud800..',
  '. .',
  '.. ',
  ' ..',
  '..\t',
  '..\n',
  '..\r\n',
  './..',
  './/..',
  '..//',
  '/..',
  '//..',
];
const heads = [
  '',
  '/',
  '//',
  '///',
  './',
  '/docs/',
  '/docs',
  'docs/',
  '/out/',
  '/proc/self/root/',
  '/proc/self/cwd/',
  '/dev/fd/3/',
  '~/',
  'C:\\',
  'C:/',
  'c:',
  '\\\\',
  '\\\\?\\C:\\',
  '\\\\localhost\\c$\\',
  '//localhost/c$/',
  'file:///',
  'file:',
  '/\u0000/',
  '$HOME/',
  '%SystemRoot%/',
];
const tails = [
  'etc/passwd',
  '/etc/passwd',
  'canary.txt',
  '',
  'a/../../canary.txt',
  'etc/passwd\u0000.txt',
];
const repeats = [1, 2, 12];

/** Every combination, each once: some thousands. */
export function traversalStrings(): string[] {
  const found = new Set<string>();
  for (const head of heads) {
    for (const dot of dots) {
      for (const count of repeats) {
        for (const tail of tails) {
          found.add(`${head}${dot.repeat(count)}${tail}`);
          found.add(`${head}${`${dot}/`.repeat(count)}${tail}`);
        }
      }
    }
  }
  return [...found];
}
