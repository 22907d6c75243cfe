/** Networks in CIDR notation and addresses, IPv4 and IPv6, as 128-bit numbers. SPEC: RFC 4632, RFC 4291 §2.2. */
export interface Network {
  readonly bits: bigint;
  readonly shift: bigint;
  readonly v4: boolean;
}

export function parseNetwork(text: string): Network | undefined {
  const slash = text.indexOf('/');
  const address = parseAddress(slash < 0 ? text : text.slice(0, slash));
  if (address === undefined) return undefined;
  const width = address.v4 ? 32 : 128;
  const lengthText = slash < 0 ? String(width) : text.slice(slash + 1);
  const length = /^\d{1,3}$/.test(lengthText) ? Number(lengthText) : -1;
  if (length < 0 || length > width) return undefined;
  const shift = BigInt(width - length);
  return { bits: address.bits >> shift, shift, v4: address.v4 };
}

/** Whether an address (`10.0.0.1`, also with a port: `10.0.0.1:5432`, `[::1]:5432`) lies in a network. */
export function inNetwork(network: Network, addressText: string): boolean {
  const address = parseAddress(withoutPort(addressText));
  return address !== undefined && address.v4 === network.v4 && address.bits >> network.shift === network.bits;
}

function withoutPort(text: string): string {
  if (text.startsWith('[')) return text.slice(1, Math.max(1, text.indexOf(']')));
  const colon = text.indexOf(':');
  return colon >= 0 && colon === text.lastIndexOf(':') ? text.slice(0, colon) : text;
}

function parseAddress(text: string): { readonly bits: bigint; readonly v4: boolean } | undefined {
  if (!text.includes(':')) {
    const bits = parseV4(text);
    return bits === undefined ? undefined : { bits, v4: true };
  }
  const bits = parseV6(text);
  if (bits === undefined) return undefined;
  // EVASION: an IPv4 address written as ::ffff:a.b.c.d is that IPv4 address.
  return bits >> 32n === 0xffffn ? { bits: bits & 0xffff_ffffn, v4: true } : { bits, v4: false };
}

function parseV4(text: string): bigint | undefined {
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  let bits = 0n;
  for (const part of parts) {
    // EVASION: a leading zero is octal to some readers, decimal to others.
    if (!/^(0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return undefined;
    bits = (bits << 8n) | BigInt(part);
  }
  return bits;
}

function parseV6(text: string): bigint | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const head = groupsOf(halves[0] ?? '');
  const tail = halves.length === 2 ? groupsOf(halves[1] ?? '') : [];
  if (head === undefined || tail === undefined) return undefined;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  const groups = [...head, ...Array.from({ length: missing }, () => 0n), ...tail];
  return groups.reduce((bits, group) => (bits << 16n) | group, 0n);
}

function groupsOf(text: string): bigint[] | undefined {
  if (text === '') return [];
  const groups: bigint[] = [];
  const parts = text.split(':');
  for (const [i, part] of parts.entries()) {
    if (part.includes('.') && i === parts.length - 1) {
      const v4 = parseV4(part);
      if (v4 === undefined) return undefined;
      groups.push(v4 >> 16n, v4 & 0xffffn);
    } else {
      if (!/^[0-9a-fA-F]{1,4}$/.test(part)) return undefined;
      groups.push(BigInt(`0x${part}`));
    }
  }
  return groups;
}
