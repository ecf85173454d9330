// Builds dist/: codecs from proto/, then the package for both module systems.
//
// dist/*.js are CommonJS modules. dist/*.mjs re-export them for ESM, so that a program with both has one copy of the
// classes.

import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';

const here = import.meta.dirname;
const contract = `${here}/../../proto`;
const googleApis = `${here}/node_modules/google-proto-files`;
const healthCheck = `${here}/node_modules/grpc-health-check/proto`;
const { version } = JSON.parse(readFileSync(`${here}/package.json`, 'utf8'));

function run(command, args) {
  execFileSync(command, args, { cwd: here, stdio: 'inherit' });
}

for (const folder of ['dist', 'src/gen']) {
  rmSync(`${here}/${folder}`, { recursive: true, force: true });
}
mkdirSync(`${here}/src/gen`);
run('protoc', [
  ...[contract, googleApis, healthCheck].map((folder) => `--proto_path=${folder}`),
  `--plugin=protoc-gen-es=${here}/node_modules/.bin/protoc-gen-es`,
  '--es_out=src/gen',
  '--es_opt=target=ts,import_extension=js',
  ...readdirSync(`${contract}/hmacd/v1`).map((file) => `hmacd/v1/${file}`),
  'google/rpc/error_details.proto',
  'google/rpc/status.proto',
  'health/v1/health.proto',
]);
writeFileSync(
  `${here}/src/gen/version.ts`,
  `/** The version of the package. */\nexport const version = '${version}';\n`,
);
run(process.execPath, ['node_modules/typescript/bin/tsc']);
cpSync(`${here}/src/package.json`, `${here}/dist/package.json`);
cpSync(`${here}/../../LICENSE`, `${here}/dist/LICENSE`);
