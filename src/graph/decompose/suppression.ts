interface SuppressionOptions {
  readonly batches: number;
  readonly boxes: number;
  readonly classes: number;
  /** Boxes to choose of each class. */
  readonly most: number;
  /** Boxes that overlap a better one by more than this share of both go. */
  readonly overlap: number;
  /** Boxes go whose score is not above. */
  readonly score: number;
  /** Boxes are centre and size rather than two corners. */
  readonly centered: boolean;
}

type Box = readonly [x1: number, y1: number, x2: number, y2: number];

/**
 * Greedy non-maximum suppression (https://onnx.ai/onnx/operators/onnx__NonMaxSuppression.html).
 * @param boxes [batches, boxes, 4]
 * @param scores [batches, classes, boxes]
 * @returns batch, class and box of each that is chosen
 */
export function suppress(
  boxes: readonly number[],
  scores: readonly number[],
  options: SuppressionOptions,
): [batch: number, kind: number, box: number][] {
  const chosen: [number, number, number][] = [];
  for (let batch = 0; batch < options.batches; batch++) {
    const corners = Array.from({ length: options.boxes }, (_, i) =>
      cornersOf(
        boxes.slice((batch * options.boxes + i) * 4, (batch * options.boxes + i + 1) * 4),
        options.centered,
      ),
    );
    for (let kind = 0; kind < options.classes; kind++) {
      const start = (batch * options.classes + kind) * options.boxes;
      const scoreOf = (box: number) => scores[start + box] ?? 0;
      const order = [...corners.keys()].filter((box) => scoreOf(box) > options.score);
      order.sort((a, b) => scoreOf(b) - scoreOf(a) || a - b);
      const kept: number[] = [];
      for (const box of order) {
        if (kept.length >= options.most) break;
        const hidden = kept.some((better) => overlapOf(corners[better], corners[box]) > options.overlap);
        if (!hidden) kept.push(box);
      }
      for (const box of kept) chosen.push([batch, kind, box]);
    }
  }
  return chosen;
}

function cornersOf([a = 0, b = 0, c = 0, d = 0]: readonly number[], centered: boolean): Box {
  if (centered) return [a - c / 2, b - d / 2, a + c / 2, b + d / 2];
  return [Math.min(a, c), Math.min(b, d), Math.max(a, c), Math.max(b, d)];
}

const areaOf = (box: Box) => Math.max(0, box[2] - box[0]) * Math.max(0, box[3] - box[1]);

/** What two boxes share, over what they cover together. */
function overlapOf(a: Box | undefined, b: Box | undefined): number {
  if (a === undefined || b === undefined) return 0;
  const shared = areaOf([
    Math.max(a[0], b[0]),
    Math.max(a[1], b[1]),
    Math.min(a[2], b[2]),
    Math.min(a[3], b[3]),
  ]);
  const covered = areaOf(a) + areaOf(b) - shared;
  return shared > 0 && covered > 0 ? shared / covered : 0;
}
