/**
 * The schemas of a `search_path` setting in order, `$user` replaced by the role. SPEC: PostgreSQL 18 documentation, §5.10.3, and
 * `SplitIdentifierString`: names are folded to lower case unless quoted, a doubled quote stands for one.
 */
export function parseSearchPath(setting: string, role: string): readonly string[] {
  const names: string[] = [];
  let at = 0;
  while (at < setting.length) {
    const character = setting.charAt(at);
    if (character === ',' || ' \t\n\r\f\v'.includes(character)) {
      at += 1;
      continue;
    }
    const { name, next } = character === '"' ? quoted(setting, at) : plain(setting, at);
    names.push(name === '$user' ? role : name);
    at = next;
  }
  return names;
}

function quoted(text: string, start: number): { readonly name: string; readonly next: number } {
  let name = '';
  let at = start + 1;
  while (at < text.length) {
    if (text.charAt(at) !== '"') name += text.charAt(at);
    else if (text.charAt(at + 1) === '"') {
      name += '"';
      at += 1;
    } else return { name, next: at + 1 };
    at += 1;
  }
  return { name, next: at };
}

function plain(text: string, start: number): { readonly name: string; readonly next: number } {
  let at = start;
  while (at < text.length && !', \t\n\r\f\v'.includes(text.charAt(at))) at += 1;
  return { name: text.slice(start, at).toLowerCase(), next: at };
}
