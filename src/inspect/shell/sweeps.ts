/** The programs that remove or change a tree, with the options that make them do so. */
const sweeping: Readonly<Record<string, RegExp>> = {
  rm: /^(-[a-zA-Z]*[rR][a-zA-Z]*|--recursive)$/,
  chmod: /^(-[a-zA-Z]*R[a-zA-Z]*|--recursive)$/,
  chown: /^(-[a-zA-Z]*R[a-zA-Z]*|--recursive)$/,
  chgrp: /^(-[a-zA-Z]*R[a-zA-Z]*|--recursive)$/,
  mv: /^$/,
  shred: /^$/,
};

/**
 * Trees that a program would remove or change as a whole, each as an absolute path or one from the home (`~`). `/*` is `/`, and a
 * relative path is seen from the folder that a `cd` before has named; where that is not known it is `?`.
 */
export function sweptBy(name: string, args: readonly string[], folder: string | undefined): readonly string[] {
  if (name === 'find') {
    const removes =
      args.includes('-delete') ||
      args.some((argument, at) => /^-(exec|execdir)$/.test(argument) && /^(rm|shred)$/.test(args[at + 1] ?? ''));
    const narrowed = args.some((argument) => /^-(name|iname|path|mtime|mmin|newer|size|regex|user|empty)$/.test(argument));
    const options = args.findIndex((argument) => argument.startsWith('-'));
    const roots = args.slice(0, options < 0 ? args.length : options);
    return removes && !narrowed ? (roots.length === 0 ? ['.'] : roots).map((path) => resolved(path, folder)) : [];
  }
  const option = Object.hasOwn(sweeping, name) ? sweeping[name] : undefined;
  if (option === undefined || (option.source !== '^$' && !args.some((argument) => option.test(argument)))) return [];
  const paths = args.filter((argument) => !argument.startsWith('-'));
  // `chmod 777 /etc`: the first word is no path.
  const trees = name.startsWith('ch') ? paths.slice(1) : name === 'mv' ? paths.slice(0, -1) : paths;
  return trees.map((path) => resolved(path, folder));
}

function resolved(path: string, folder: string | undefined): string {
  const home = path.replace(/^(\$HOME|\$\{HOME\}|~\+?)(?=\/|$)/, '~');
  const whole = home.startsWith('/') || home.startsWith('~') ? home : folder === undefined ? '?' : `${folder}/${home}`;
  const parts: string[] = [];
  for (const part of whole.split('/')) {
    if (part === '..') parts.pop();
    // `*` is everything in the folder: the folder, as far as it matters.
    else if (part !== '' && part !== '.' && !/^(\*|\.\*|\{.*\})$/.test(part)) parts.push(part);
  }
  const text = parts.join('/');
  return whole.startsWith('/') ? `/${text}` : text === '' ? '~' : text;
}
