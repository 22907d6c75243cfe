export function isDigit(character: string): boolean {
  return character >= '0' && character <= '9';
}

export function isLetter(character: string): boolean {
  return (character >= 'a' && character <= 'z') || (character >= 'A' && character <= 'Z');
}

export function isAlphanumeric(character: string): boolean {
  return isDigit(character) || isLetter(character);
}

/** Separators that people put into long numbers. */
export function isSeparator(character: string): boolean {
  return character === ' ' || character === '-' || character === '.' || character === '\u00a0' || character === '\u2011';
}
