import { EvalError } from '../eval-error.ts';
import { CelOpaque } from '../values.ts';
import { fn, type Library } from './overload.ts';

/** An IP address: 4 or 16 bytes, as one number. */
class CelIp extends CelOpaque {
  readonly kind = 'ip';
  readonly family: 4 | 6;
  readonly bits: bigint;

  constructor(family: 4 | 6, bits: bigint) {
    super();
    this.family = family;
    this.bits = bits;
  }

  equals(other: CelOpaque): boolean {
    return other instanceof CelIp && other.family === this.family && other.bits === this.bits;
  }

  /** The canonical text. SPEC: RFC 5952 for IPv6. */
  toString(): string {
    if (this.family === 4) return [24n, 16n, 8n, 0n].map((shift) => (this.bits >> shift) & 255n).join('.');
    const groups = Array.from({ length: 8 }, (_, index) => ((this.bits >> BigInt(112 - index * 16)) & 0xffffn).toString(16));
    const { start, length } = longestZeros(groups);
    if (length < 2) return groups.join(':');
    return `${groups.slice(0, start).join(':')}::${groups.slice(start + length).join(':')}`;
  }
}

/** The first of the longest runs of zero groups. */
function longestZeros(groups: readonly string[]): { start: number; length: number } {
  let best = { start: 0, length: 0 };
  let start = 0;
  for (const [index, group] of groups.entries()) {
    if (group !== '0') start = index + 1;
    else if (index + 1 - start > best.length) best = { start, length: index + 1 - start };
  }
  return best;
}

/** A network: an address and a prefix length. The bits of the host part are kept as they were written. */
class CelCidr extends CelOpaque {
  readonly kind = 'cidr';
  readonly ip: CelIp;
  readonly prefix: number;

  constructor(ip: CelIp, prefix: number) {
    super();
    this.ip = ip;
    this.prefix = prefix;
  }

  equals(other: CelOpaque): boolean {
    return other instanceof CelCidr && other.prefix === this.prefix && other.ip.equals(this.ip);
  }

  toString(): string {
    return `${this.ip.toString()}/${this.prefix}`;
  }

  masked(): CelIp {
    const host = BigInt(width(this.ip) - this.prefix);
    return new CelIp(this.ip.family, (this.ip.bits >> host) << host);
  }

  contains(ip: CelIp): boolean {
    const host = BigInt(width(this.ip) - this.prefix);
    return ip.family === this.ip.family && ip.bits >> host === this.ip.bits >> host;
  }
}

function width(ip: CelIp): number {
  return ip.family === 4 ? 32 : 128;
}

// EVASION: leading zeros (octal in some resolvers), zones and IPv4-mapped IPv6 are refused, so that one address has one reading.
function readV4(text: string): bigint | undefined {
  if (!/^(?:(?:0|[1-9]\d{0,2})\.){3}(?:0|[1-9]\d{0,2})$/.test(text)) return undefined;
  const parts = text.split('.').map(Number);
  return parts.every((part) => part < 256) ? parts.reduce((bits, part) => (bits << 8n) | BigInt(part), 0n) : undefined;
}

function readV6(text: string): bigint | undefined {
  if (!/^[0-9a-fA-F:]{2,39}(?:[0-9.]{7,15})?$/.test(text)) return undefined;
  const tail = /^(.*:)([0-9.]*\.[0-9.]*)$/.exec(text);
  const v4 = tail === null ? undefined : readV4(tail[2] ?? '');
  if (tail !== null && v4 === undefined) return undefined;
  const hex = v4 === undefined ? text : `${tail?.[1] ?? ''}${(v4 >> 16n).toString(16)}:${(v4 & 0xffffn).toString(16)}`;
  const halves = hex.split('::');
  const [head = [], rest = []] = halves.map((half) => (half === '' ? [] : half.split(':')));
  const missing = 8 - head.length - rest.length;
  if (halves.length > 2 || (halves.length === 2 ? missing < 1 : missing !== 0)) return undefined;
  const groups = [...head, ...Array.from({ length: missing }, () => '0'), ...rest];
  if (!groups.every((group) => /^[0-9a-fA-F]{1,4}$/.test(group))) return undefined;
  return groups.reduce((bits, group) => (bits << 16n) | BigInt(Number.parseInt(group, 16)), 0n);
}

/** An address from its text; undefined when it is none. */
function readIp(text: string): CelIp | undefined {
  const v4 = readV4(text);
  if (v4 !== undefined) return new CelIp(4, v4);
  const v6 = readV6(text);
  return v6 === undefined || v6 >> 32n === 0xffffn ? undefined : new CelIp(6, v6);
}

/** A network from its text; undefined when it is none. */
function readCidr(text: string): CelCidr | undefined {
  const match = /^([^/]+)\/(0|[1-9]\d{0,2})$/.exec(text);
  const address = match === null ? undefined : readIp(match[1] ?? '');
  const prefix = Number(match?.[2]);
  return address === undefined || prefix > width(address) ? undefined : new CelCidr(address, prefix);
}

function ip(text: string): CelIp {
  const address = readIp(text);
  if (address === undefined) throw new EvalError('CONVERSION', 'not an IP address');
  return address;
}

function cidr(text: string): CelCidr {
  const network = readCidr(text);
  if (network === undefined) throw new EvalError('CONVERSION', 'not a network such as 10.0.0.0/8');
  return network;
}

const blocks = {
  loopback: [cidr('127.0.0.0/8'), cidr('::1/128')],
  linkLocal: [cidr('169.254.0.0/16'), cidr('fe80::/10')],
  linkLocalMulticast: [cidr('224.0.0.0/24'), cidr('ff02::/16')],
  multicast: [cidr('224.0.0.0/4'), cidr('ff00::/8')],
  unspecified: [cidr('0.0.0.0/32'), cidr('::/128')],
  // SPEC: RFC 1918 and RFC 4193.
  private: [cidr('10.0.0.0/8'), cidr('172.16.0.0/12'), cidr('192.168.0.0/16'), cidr('fc00::/7')],
};

function isIn(address: CelIp, ...kinds: readonly (keyof typeof blocks)[]): boolean {
  return kinds.some((kind) => blocks[kind].some((block) => block.contains(address)));
}

function isGlobal(address: CelIp): boolean {
  if (address.family === 4 && address.bits === 0xffffffffn) return false;
  return !isIn(address, 'loopback', 'linkLocal', 'multicast', 'unspecified');
}

function containsCidr(network: CelCidr, other: CelCidr): boolean {
  return other.prefix >= network.prefix && network.contains(other.ip);
}

// SPEC: the names of Kubernetes' CEL libraries for addresses and networks; `isPrivate` is ours.
export const networkFunctions: Library = [
  fn('ip(string): ip', ip, 'constant'),
  fn('isIP(string): bool', (text: string) => readIp(text) !== undefined, 'constant'),
  fn('ip.isCanonical(string): bool', (text: string) => ip(text).toString() === text, 'constant'),
  fn('string(ip): string', (address: CelIp) => address.toString(), 'constant'),
  fn('ip->family(): int', (address: CelIp) => BigInt(address.family), 'constant'),
  fn('ip->isLoopback(): bool', (address: CelIp) => isIn(address, 'loopback'), 'constant'),
  fn('ip->isUnspecified(): bool', (address: CelIp) => isIn(address, 'unspecified'), 'constant'),
  fn('ip->isLinkLocalUnicast(): bool', (address: CelIp) => isIn(address, 'linkLocal'), 'constant'),
  fn('ip->isLinkLocalMulticast(): bool', (address: CelIp) => isIn(address, 'linkLocalMulticast'), 'constant'),
  fn('ip->isGlobalUnicast(): bool', isGlobal, 'constant'),
  fn('ip->isPrivate(): bool', (address: CelIp) => isIn(address, 'private'), 'constant'),
  fn('cidr(string): cidr', cidr, 'constant'),
  fn('isCIDR(string): bool', (text: string) => readCidr(text) !== undefined, 'constant'),
  fn('string(cidr): string', (network: CelCidr) => network.toString(), 'constant'),
  fn('cidr->ip(): ip', (network: CelCidr) => network.ip, 'constant'),
  fn('cidr->prefixLength(): int', (network: CelCidr) => BigInt(network.prefix), 'constant'),
  fn('cidr->masked(): cidr', (network: CelCidr) => new CelCidr(network.masked(), network.prefix), 'constant'),
  fn('cidr->containsIP(ip): bool', (network: CelCidr, address: CelIp) => network.contains(address), 'constant'),
  fn('cidr->containsIP(string): bool', (network: CelCidr, text: string) => network.contains(ip(text)), 'constant'),
  fn('cidr->containsCIDR(cidr): bool', containsCidr, 'constant'),
  fn('cidr->containsCIDR(string): bool', (network: CelCidr, text: string) => containsCidr(network, cidr(text)), 'constant'),
];
