import { describe, expect, test } from 'vitest';
import { parseRecipe, plainStages } from '../../src/calibrate/index.js';

describe('parseRecipe', () => {
  test('YAML and JSON say the same', () => {
    const yaml = `
# half of all, in blocks
sparsity: 0.5
pattern: 16x1
method: wanda
exclude: [stem, 're:^head']
layers:
  neck: { pattern: 4x1 }
`;
    const json = `{"sparsity": 0.5, "pattern": "16x1", "method": "wanda", "exclude": ["stem", "re:^head"],
      "layers": {"neck": {"pattern": "4x1"}}}`;
    const expected = {
      sparsity: 0.5,
      pattern: '16x1',
      method: 'wanda',
      exclude: ['stem', /^head/u],
      layers: { neck: { pattern: '4x1' } },
    };
    expect(parseRecipe(yaml, 'recipe')).toEqual({ stages: [expected] });
    expect(parseRecipe(json, 'recipe')).toEqual({ stages: [expected] });
  });

  test('stages come in their order', () => {
    const { stages } = parseRecipe('stages:\n  - sparsity: 0.5\n  - sparsity: 0.8\n', 'recipe');
    expect(stages).toEqual([{ sparsity: 0.5 }, { sparsity: 0.8 }]);
  });

  test.each([
    ['sparsity: [', /recipe to be YAML or JSON/],
    ['just text', /recipe to be an object of options, got string/],
    ['- 1', /recipe to be an object of options, got a list/],
    ['sparsty: 0.5', /Unknown key "sparsty" in recipe; did you mean "sparsity"/],
    ['stages: []', /recipe\.stages to be a list of options, got a list/],
    ['stages: [{sparsity: 2}]', /recipe\.stages\.0\.sparsity to be a number in \[0, 1\), got 2/],
    ['stages: [{sparsity: 0.5}]\nmethod: wanda', /nothing but stages beside stages, got "method"/],
    ['{sparsity: 0.5, threads: 2}', /options that a file can hold, got "threads"/],
    ["{sparsity: 0.5, include: ['re:(']}", /regular expression after re:/],
    ['a: &a [1]\nsparsity: *a', /recipe to be YAML or JSON/],
  ])('%s', (text, message) => {
    expect(() => parseRecipe(text, 'recipe')).toThrow(message);
  });
});

test('stages as a history tells them', () => {
  const stage = { sparsity: 0.5, exclude: [/^head/], threads: 2, onProgress: () => {} };
  expect(plainStages([stage, { sparsity: 0.8 }])).toEqual([
    { sparsity: 0.5, exclude: ['re:^head'] },
    { sparsity: 0.8 },
  ]);
});
