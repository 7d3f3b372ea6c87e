import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { errorCodes } from '../src/errors.js';

it('native code raises only codes that TypeScript knows', () => {
  const source = readFileSync(new URL('../native/core/error.cc', import.meta.url), 'utf8');
  const raised = source.match(/ERR_ESPALIER_\w+/g) ?? [];
  expect(raised.length).toBeGreaterThan(5);
  expect(errorCodes).toEqual(expect.arrayContaining(raised));
});
