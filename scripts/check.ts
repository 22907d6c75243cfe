/** `npm run check`: types, lint, tidy and unit tests, in under 90 seconds. Stops at the first step that fails. */
import { run, runTests, testFiles } from './steps.ts';

run('types of the pure folders', ['tsc', '-p', 'tsconfig.pure.json']);
run('types', ['tsc', '-p', 'tsconfig.json']);
run('lint', ['oxlint', '--type-aware', '--deny-warnings', 'src', 'test', 'scripts', 'bench']);
run('format', ['biome', 'format', '.']);
const units = [...testFiles('src'), ...testFiles('scripts')].filter((file) => !file.endsWith('.slow.test.ts'));
runTests('tidy and unit tests', ['test/tidy.test.ts', ...units], 2);
