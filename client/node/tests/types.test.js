import { execFileSync } from 'node:child_process';
import { test } from 'node:test';

test('the types of the package permit and refuse the calls of types.ts', () => {
  const tsc = ['node_modules/typescript/bin/tsc', '--project', 'tests'];
  execFileSync(process.execPath, tsc, { cwd: new URL('..', import.meta.url), stdio: 'inherit' });
});
