/**
 * Which addresses are the public network and which are somebody's inside.
 * Reached from here, an inside address is this machine, its cloud's metadata
 * service or the network behind it, and no agent has business there.
 *
 * Invariants
 *   A1. Only what is known to be public passes. An address of a kind that is
 *       not in the lists is refused, not let through.
 *   A2. An IPv6 address that carries an IPv4 address is judged by what it
 *       carries as well: mapped, compatible, translated, 6to4, Teredo, ISATAP.
 */
import ipaddr from 'ipaddr.js';

/** The only part of IPv6 from which public addresses are given out. */
const globalUnicast = ipaddr.IPv6.parse('2000::');
const globalUnicastBits = 3;

/** Of a large cloud, and by its number as public as any. */
const metadataService = '168.63.129.16';

/** Why the address is not public, as the end of "The address … is …", or null when it is (A1). */
export function addressProblem(text: string): string | null {
  // A zone names an interface of this machine.
  if (text.includes('%')) return 'of one link';
  // Only the form that the system itself writes: no octal, no hexadecimal, no short form.
  if (ipaddr.IPv4.isValidFourPartDecimal(text)) return ipv4Problem(ipaddr.IPv4.parse(text));
  if (ipaddr.IPv6.isValid(text)) return ipv6Problem(ipaddr.IPv6.parse(text));
  return 'no address';
}

function ipv4Problem(address: ipaddr.IPv4): string | null {
  const range = address.range();
  if (range !== 'unicast') return words[range] ?? range;
  return address.toString() === metadataService ? 'of a metadata service' : null;
}

function ipv6Problem(address: ipaddr.IPv6): string | null {
  const carried = carriedAddress(address);
  const inner = carried === null ? null : ipv4Problem(carried);
  if (inner !== null) return `${inner}, inside an IPv6 address`; // (A2)
  const range = address.range();
  if (range !== 'unicast') return words[range] ?? range;
  const isPublic = address.match(globalUnicast, globalUnicastBits);
  return isPublic ? null : 'not of the public network'; // (A1)
}

const words: Readonly<Record<string, string>> = {
  linkLocal: 'of one link',
  uniqueLocal: 'private',
  carrierGradeNat: 'of a carrier',
  ipv4Mapped: 'an IPv4 address in disguise',
  rfc6145: 'an IPv4 address in disguise',
  rfc6052: 'an IPv4 address in disguise',
  '6to4': 'of 6to4',
  teredo: 'of Teredo',
};

/** The IPv4 address that an IPv6 address stands for, by any scheme that puts one there (A2). */
function carriedAddress(address: ipaddr.IPv6): ipaddr.IPv4 | null {
  const parts = address.parts;
  const at = (index: number): number => parts[index] ?? 0;
  const leading = (count: number): boolean => parts.slice(0, count).every((part) => part === 0);
  const last = (): ipaddr.IPv4 => ipv4Of(at(6), at(7));
  // ::a.b.c.d, ::ffff:a.b.c.d and ::ffff:0:a.b.c.d.
  if (leading(6) || (leading(5) && at(5) === 0xffff)) return last();
  if (leading(4) && at(4) === 0xffff && at(5) === 0) return last();
  // 64:ff9b::/96, and 64:ff9b:1::/48, which is for the inside only.
  if (at(0) === 0x64 && at(1) === 0xff9b) return last();
  if (at(0) === 0x2002) return ipv4Of(at(1), at(2));
  // Teredo has the client's address with every bit turned.
  if (at(0) === 0x2001 && at(1) === 0) return ipv4Of(at(6) ^ 0xffff, at(7) ^ 0xffff);
  // ISATAP: …:0:5efe:a.b.c.d, in both forms of its universal bit.
  if ((at(4) & 0xfdff) === 0 && at(5) === 0x5efe) return last();
  return null;
}

function ipv4Of(high: number, low: number): ipaddr.IPv4 {
  return new ipaddr.IPv4([high >> 8, high & 0xff, low >> 8, low & 0xff]);
}
