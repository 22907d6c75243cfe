/** Closes a switch over a union: a new member becomes a type error here, and a fault at run time. */
export function unreachable(value: never): never {
  throw new TypeError(`unreachable value: ${String(value)}`);
}
