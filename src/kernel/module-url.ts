/**
 * Address of a sibling module, with the extension of the caller: `.ts` where
 * Node strips types from the sources, `.js` in a compiled package.
 */
export function siblingModule(importMetaUrl: string, name: string): URL {
  const extension = importMetaUrl.endsWith('.ts') ? 'ts' : 'js';
  return new URL(`./${name}.${extension}`, importMetaUrl);
}
