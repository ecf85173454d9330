import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FileChange } from '../dist/core/file-change.js';

for (const [name, digests, expected] of [
  ['unchanged files', ['a', 'a'], [false, false]],
  ['new files, at the second read', ['b', 'b'], [false, true]],
  ['new files are reported once', ['b', 'b', 'b'], [false, true, false]],
  ['files in the middle of a change', ['b', 'c', 'c'], [false, false, true]],
  ['a change that was undone', ['b', 'a', 'a'], [false, false, false]],
  ['the old files again', ['b', 'b', 'a', 'a'], [false, true, false, true]],
]) {
  test(name, () => {
    const change = new FileChange('a');
    assert.deepEqual(
      digests.map((digest) => change.observe(digest)),
      expected,
    );
  });
}
