import type { CallExpression, CelExpression, ComprehensionExpression, MacroName } from './ast.ts';
import type { NodeMaker } from './token-cursor.ts';

/** Macros over a list or map: which argument counts they take; the count tells one variable from two, and with a filter. */
const shapes: Readonly<Record<string, readonly { readonly args: number; readonly variables: 1 | 2; readonly filter: boolean }[]>> = {
  all: [
    { args: 2, variables: 1, filter: false },
    { args: 3, variables: 2, filter: false },
  ],
  exists: [
    { args: 2, variables: 1, filter: false },
    { args: 3, variables: 2, filter: false },
  ],
  exists_one: [
    { args: 2, variables: 1, filter: false },
    { args: 3, variables: 2, filter: false },
  ],
  existsOne: [
    { args: 2, variables: 1, filter: false },
    { args: 3, variables: 2, filter: false },
  ],
  map: [
    { args: 2, variables: 1, filter: false },
    { args: 3, variables: 1, filter: true },
  ],
  filter: [{ args: 2, variables: 1, filter: false }],
  transformList: [
    { args: 3, variables: 2, filter: false },
    { args: 4, variables: 2, filter: true },
  ],
  transformMap: [
    { args: 3, variables: 2, filter: false },
    { args: 4, variables: 2, filter: true },
  ],
  transformMapEntry: [
    { args: 3, variables: 2, filter: false },
    { args: 4, variables: 2, filter: true },
  ],
  sortBy: [{ args: 2, variables: 1, filter: false }],
};

/** The macro a call stands for, or the call itself when it is none. A macro used wrongly is a syntax problem. */
export function expandMacro(call: CallExpression, make: NodeMaker): CelExpression {
  if (call.target === undefined) return call.name === 'has' || call.name === '.has' ? presence(call, make) : call;
  if (call.target.kind === 'ident' && call.target.name === 'cel') return celMacro(call, make);
  if (call.name === 'optMap' || call.name === 'optFlatMap') return optionalMap(call, call.target, make);
  if (!Object.hasOwn(shapes, call.name)) return call;
  const shape = shapes[call.name]?.find((candidate) => candidate.args === call.args.length);
  return shape === undefined ? call : comprehension(call, shape, make);
}

function comprehension(
  call: CallExpression,
  shape: { readonly variables: 1 | 2; readonly filter: boolean },
  make: NodeMaker,
): CelExpression {
  const { target: range } = call;
  const variables = call.args.slice(0, shape.variables).map((argument) => variableName(argument, make));
  if (variables[0] === variables[1]) make.refuse(call.args[1] ?? call, `the variable ${variables[0] ?? ''} is named twice`);
  const [first, second] = call.args.slice(shape.variables);
  const body = shape.filter ? second : first;
  if (range === undefined || first === undefined || body === undefined) return call;
  const base: ComprehensionExpression = {
    id: call.id,
    start: call.start,
    end: call.end,
    kind: 'comprehension',
    macro: call.name as MacroName, // One of the keys of `shapes`.
    range,
    variables,
    body,
  };
  return shape.filter ? { ...base, filter: first } : base;
}

function variableName(argument: CelExpression, make: NodeMaker): string {
  const plain = argument.kind === 'ident' && !argument.name.startsWith('.');
  if (!plain) return make.refuse(argument, 'the variable of a macro must be a plain name', 'write for instance .exists(x, x > 0)');
  return argument.name;
}

function presence(call: CallExpression, make: NodeMaker): CelExpression {
  const [argument] = call.args;
  if (argument === undefined || call.args.length > 1) return make.refuse(call, 'has() takes one argument', 'write has(a.b)');
  if (argument.kind !== 'select' || argument.mode === 'test') {
    return make.refuse(argument, 'has() takes a field selection', 'write has(a.b); for keys that are not names use "key" in a');
  }
  return { ...argument, ...make.span(call.start, call.end), mode: 'test' };
}

function optionalMap(call: CallExpression, target: CelExpression, make: NodeMaker): CelExpression {
  const [variable, body] = call.args;
  if (variable === undefined || body === undefined || call.args.length !== 2) return call;
  const name = variableName(variable, make);
  return { id: call.id, start: call.start, end: call.end, kind: 'optional-map', flat: call.name === 'optFlatMap', target, name, body };
}

/** `cel.bind`, and the `cel.block` family that expression optimizers emit. */
function celMacro(call: CallExpression, make: NodeMaker): CelExpression {
  const [first, second, third] = call.args;
  const span = { id: call.id, start: call.start, end: call.end };
  if (call.name === 'bind' && first !== undefined && second !== undefined && third !== undefined && call.args.length === 3) {
    return { ...span, kind: 'bind', name: variableName(first, make), value: second, body: third };
  }
  if (call.name === 'index' && call.args.length === 1) return { ...span, kind: 'ident', name: `@index${constantIndex(first, make)}` };
  if (call.name === 'iterVar' && call.args.length === 2) {
    return { ...span, kind: 'ident', name: `@it${constantIndex(first, make)}_${constantIndex(second, make)}` };
  }
  if (call.name !== 'block' || first?.kind !== 'list' || second === undefined) return call;
  let body = second;
  for (const [index, element] of [...first.elements.entries()].reverse()) {
    body = { ...make.span(call.start, call.end), kind: 'bind', name: `@index${index}`, value: element.value, body };
  }
  return body;
}

function constantIndex(argument: CelExpression | undefined, make: NodeMaker): string {
  if (argument?.kind === 'literal' && typeof argument.value === 'bigint' && argument.value >= 0n) return argument.value.toString();
  return make.refuse(argument ?? make.span(0, 1), 'expected a constant index');
}
