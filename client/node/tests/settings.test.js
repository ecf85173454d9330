import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { HmacdClient, HmacdError, InvalidSetting } from 'hmacd-client';
import { checkSettings, settingsFromEnv } from '../dist/core/settings.js';

const targets = ['unix:/run/hmacd.sock'];

/** The value in an error: that of a file, and of an unknown setting, may be the content of a file. */
function valueOf(name, value) {
  const isHidden = ['ca', 'certificate', 'privateKey', 'timeout'].includes(name);
  return isHidden && value !== undefined ? `(${typeof value})` : value;
}

test('the defaults', () => {
  const { targets: checked, telemetry, ...others } = checkSettings({ targets });
  assert.deepEqual(checked, [{ name: targets[0], uri: targets[0], address: undefined }]);
  assert.deepEqual(others, {
    tls: undefined,
    timeoutMillis: 5000,
    attemptTimeoutMillis: 1000,
    maxMessageBytes: 65_536,
    fileIntervalMillis: 2000,
  });
});

for (const [text, host, port] of [
  ['hmacd.example.org:8443', 'hmacd.example.org', 8443],
  ['10.0.0.1:1', '10.0.0.1', 1],
  ['[2001:db8::1]:65535', '2001:db8::1', 65535],
]) {
  test(`the target ${text}`, () => {
    const files = { ca: 'a', certificate: 'b', privateKey: 'c' };
    const [target] = checkSettings({ targets: [text], ...files }).targets;
    assert.deepEqual([target.address, target.uri], [{ host, port }, `dns:${text}`]);
  });
}

for (const [name, settings] of [
  ['targets', {}],
  ['targets', { targets: 'unix:/run/hmacd.sock' }],
  ['targets', { targets: [] }],
  ['targets', { targets: Array.from({ length: 17 }, () => targets[0]) }],
  ['targets[1]', { targets: [targets[0], 'localhost'] }],
  ['targets[0]', { targets: ['localhost:65536'] }],
  ['targets[0]', { targets: ['localhost:0'] }],
  ['targets[0]', { targets: ['unix:relative'] }],
  ['targets[0]', { targets: ['https://localhost:1'] }],
  ['targets[0]', { targets: ['::1:8443'] }],
  ['targets[0]', { targets: [8443] }],
  ['ca', { targets: ['localhost:8443'] }],
  ['certificate', { targets: ['localhost:8443'], ca: 'ca.pem', certificate: 5 }],
  ['privateKey', { targets: ['localhost:8443'], ca: 'ca.pem', certificate: 'client.pem', privateKey: '' }],
  ['timeout', { targets, timeout: 5 }],
  ['timeoutMillis', { targets, timeoutMillis: 0 }],
  ['timeoutMillis', { targets, timeoutMillis: '5000' }],
  ['timeoutMillis', { targets, timeoutMillis: 1.5 }],
  ['attemptTimeoutMillis', { targets, attemptTimeoutMillis: 3_600_001 }],
  ['maxMessageBytes', { targets, maxMessageBytes: -1 }],
  ['fileIntervalMillis', { targets, fileIntervalMillis: 999 }],
  ['fileIntervalMillis', { targets, fileIntervalMillis: 5001 }],
  ['tracer', { targets, tracer: {} }],
  ['meter', { targets, meter: 'meter' }],
]) {
  test(`${JSON.stringify(settings).slice(0, 80)} is refused: ${name}`, () => {
    assert.throws(
      () => new HmacdClient(settings),
      (error) => {
        assert.ok(error instanceof InvalidSetting && error instanceof HmacdError);
        assert.deepEqual([error.setting, error.reason], [name, 'INVALID_ARGUMENT']);
        const value = name.startsWith('targets[') ? settings.targets[name.at(-2)] : settings[name];
        assert.deepEqual(error.value, valueOf(name, value));
        return true;
      },
    );
  });
}

for (const [name, content] of [
  ['PEM', '-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n'],
  ['PEM in one line', '-----BEGIN PRIVATE KEY-----c2VjcmV0'],
  ['base64 with CR', 'c2VjcmV0\rc2VjcmV0'],
  ['a Buffer', Buffer.from('secret')],
]) {
  test(`the content of a key as ${name} is refused, and is not in the error`, () => {
    const files = { ca: 'ca.pem', certificate: 'client.pem', privateKey: content };
    assert.throws(
      () => new HmacdClient({ targets: ['localhost:8443'], ...files }),
      (error) => {
        assert.equal(error.setting, 'privateKey');
        assert.doesNotMatch(`${error.message} ${JSON.stringify(error)}`, /c2VjcmV0|secret|73 65/);
        return true;
      },
    );
  });
}

for (const [name, settings] of [
  ['key', { key: '-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n' }],
  ['cert', { cert: Buffer.from('secret') }],
  ['tls', { tls: { key: 'secret' } }],
  ['targets[0]', { targets: ['-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n'] }],
  ['targets', { targets: 'c2VjcmV0\n' }],
  ['targets', { targets: Buffer.from('secret') }],
  ['tracer', { tracer: '-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n' }],
  ['timeoutMillis', { timeoutMillis: ['c2VjcmV0\n'] }],
  ['settings', '-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n'],
]) {
  test(`a secret in ${name} is not in the error`, () => {
    assert.throws(
      () => new HmacdClient(typeof settings === 'string' ? settings : { targets, ...settings }),
      (error) => {
        assert.equal(error.setting, name);
        assert.doesNotMatch(`${inspect(error)} ${JSON.stringify(error)}`, /c2VjcmV0|secret'|73 65/);
        assert.match(error.value, /^\(\w+\)$/);
        return true;
      },
    );
  });
}

test('the error of a setting can be serialized', () => {
  const tracer = {};
  tracer.self = tracer;
  assert.throws(
    () => new HmacdClient({ targets, tracer }),
    (error) => /self/.test(JSON.parse(JSON.stringify(error)).value),
  );
});

test('settings that are no object are refused', () => {
  assert.throws(() => new HmacdClient(), InvalidSetting);
});

test('the environment has several targets, and the files', () => {
  const env = { HMACD_TARGET: 'a:1, b:2', HMACD_CA: 'ca', HMACD_CERT: 'cert', HMACD_KEY: 'key' };
  assert.deepEqual(settingsFromEnv(env), { targets: ['a:1', 'b:2'], ca: 'ca', certificate: 'cert', privateKey: 'key' });
});

test('an environment without a target is refused', () => {
  assert.throws(() => settingsFromEnv({}), { name: 'InvalidSetting', setting: 'HMACD_TARGET' });
});
