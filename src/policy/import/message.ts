/** Longest public message of a rule. */
const messageCharsMax = 500;

/**
 * A public message out of foreign text. Braces would be read as places to fill in, so they are set apart from the words inside them.
 */
export function plainMessage(text: string): string {
  const safe = text
    .replaceAll(/\{([A-Za-z])/g, '{ $1')
    .replaceAll(/\s+/g, ' ')
    .trim();
  return safe.length <= messageCharsMax ? safe : `${safe.slice(0, messageCharsMax - 1)}…`;
}
