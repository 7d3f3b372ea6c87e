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

  test('structures stand beside masks, in any order', () => {
    const yaml = `
stages:
  - { pattern: channel, sparsity: 0.3, roundTo: 8, exclude: ['re:^stem'] }
  - { pattern: [head, neuron], target: { flops: 1000 }, measure: multiplyAdds, scope: global }
  - { sparsity: 0.5, method: magnitude, refit: false }
  - { pattern: layer, sparsity: 0.25, scores: { block1: 2, block2: 0.5 } }
`;
    expect(parseRecipe(yaml, 'recipe').stages).toEqual([
      { pattern: 'channel', sparsity: 0.3, roundTo: 8, exclude: [/^stem/u] },
      {
        pattern: ['head', 'neuron'],
        target: { flops: 1000 },
        measure: 'multiplyAdds',
        scope: 'global',
      },
      { sparsity: 0.5, method: 'magnitude', refit: false },
      { pattern: 'layer', sparsity: 0.25, scores: { block1: 2, block2: 0.5 } },
    ]);
  });

  test.each([
    [
      '{pattern: channels, sparsity: 0.5}',
      /recipe\.pattern to be unstructured.*; or channel, neuron.*got "channels"/,
    ],
    ['{pattern: channel}', /recipe with a sparsity or a target, got none/],
    ['{pattern: channel, sparsity: 0.5, target: {flops: 9}}', /a target or a sparsity, got both/],
    ['{pattern: layer, target: {flops: 9}}', /with a sparsity for the pattern layer, got a target/],
    ['{pattern: channel, sparsity: 0.5, refit: true}', /Unknown key "refit" in recipe/],
    [
      '{pattern: channel, sparsity: 0.5, method: sparsegpt}',
      /recipe\.method to be one of magnitude.*got "sparsegpt"/,
    ],
    [
      '{pattern: channel, sparsity: 0.5, schedule: {stages: 2}}',
      /without a schedule.*got a structure with one/,
    ],
    [
      '{pattern: layer, sparsity: 0.5, roundTo: 8}',
      /a pattern of channels.* with recipe\.roundTo, which does nothing/,
    ],
    [
      '{pattern: head, sparsity: 0.5, scores: {a: 1}}',
      /the pattern layer with recipe\.scores, which does nothing/,
    ],
    [
      '{pattern: head, sparsity: 0.5, maxSparsity: 0.8}',
      /a target with recipe\.maxSparsity, which does nothing/,
    ],
    ['{sparsity: 0.5, minSparsity: 0.1}', /an allocation other than uniform with recipe\.minSparsity/],
    ['{sparsity: 0.5, method: magnitude, refit: false, rows: 9}', /calibration data .* with recipe\.rows/],
    ['{sparsity: 0.5, seed: 3}', /the method random with recipe\.seed/],
    ['{sparsity: 0.5, method: wanda, damping: 0.1}', /the method sparsegpt or admm with recipe\.damping/],
    ['{target: {flops: 9, seconds: 3}}', /a latency in recipe\.target with seconds, which does nothing/],
    [
      '{sparsity: 0.5, layers: {constructor: {sparsity: 0.1}}}',
      /recipe\.layers to be .* without the keys .*constructor/,
    ],
    ['{sparsity: 0.5, constructor: 3}', /Unknown key "constructor" in recipe/],
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
