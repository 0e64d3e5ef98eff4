/**
 * Patterns of names and paths: `*` stands for any characters within a part,
 * `**` for any characters at all. Time is bounded by pattern times name, whatever both are.
 */

type Piece = { readonly literal: string } | { readonly star: 'part' | 'all' };

function piecesOf(pattern: string): Piece[] {
  return pattern.split(/(\*+)/).flatMap((text): Piece[] => {
    if (text === '') return [];
    if (!text.startsWith('*')) return [{ literal: text }];
    return [{ star: text.length === 1 ? 'part' : 'all' }];
  });
}

/** Whether the pattern matches the whole name. Case matters. */
export function matchesPattern(pattern: string, name: string): boolean {
  let ends = new Set([0]);
  for (const piece of piecesOf(pattern)) {
    const next = new Set<number>();
    for (const end of ends) {
      if ('literal' in piece) {
        if (name.startsWith(piece.literal, end)) next.add(end + piece.literal.length);
        continue;
      }
      for (let at = end; at <= name.length && !next.has(at); at += 1) {
        next.add(at);
        if (piece.star === 'part' && name[at] === '/') break;
      }
    }
    ends = next;
  }
  return ends.has(name.length);
}
